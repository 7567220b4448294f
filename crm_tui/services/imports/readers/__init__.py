"""One module per format: a stream of records in, captured leads out."""
