"""What is measured: each module starts one server with a session in it, or says what is missing."""
