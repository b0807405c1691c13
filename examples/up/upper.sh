# Started for every request: its body comes on stdin, the answer goes to stdout.
tr '[:lower:]' '[:upper:]'
