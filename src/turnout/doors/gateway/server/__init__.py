"""What runs the application as a server: its process, workers, connections, and what is looked after while it serves.

Nothing here knows of a protocol of models, or of decisions.
"""
