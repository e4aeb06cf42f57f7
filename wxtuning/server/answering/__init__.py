"""Deployments and answers: what waits is answered together, whoever asked."""
