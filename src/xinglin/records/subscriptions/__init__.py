"""R4 Subscription: a search kept up by the change feed, told to a REST hook or a web socket.

Source: HL7 FHIR R4 (4.0.1), subscription.html.
"""
