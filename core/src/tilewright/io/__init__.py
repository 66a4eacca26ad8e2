"""Paths to images and labels: which reader and writer fit, what a source is, where labels go."""
