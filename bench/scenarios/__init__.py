"""What can be measured: one module a question, each with a stage of its own."""
