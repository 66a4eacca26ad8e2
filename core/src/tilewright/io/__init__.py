"""Paths to images and labels: choosing a reader and a writer, opening the source, and placing the labels."""
