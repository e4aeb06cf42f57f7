"""Base models, trainings and what they leave: from a create to a stored model."""
