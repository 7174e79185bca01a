"""One verb a file: read the words, call one function, print."""
