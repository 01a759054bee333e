"""What people start: the server, the command line, the notebook, the demo hospital. The only floor that wires."""
