"""From a hospital's own files to the record: recognise, map, report; nothing lost, every reject explained."""
