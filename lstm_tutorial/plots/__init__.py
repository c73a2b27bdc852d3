"""The course's plots, a module for each kind.

Each function takes numbers and words and returns a :class:`~lstm_tutorial.picture.Picture`, which carries
its description; nothing is registered with pyplot, nothing is read, nothing is remembered.
"""
