"""Journeys in a real Chromium against real processes."""
