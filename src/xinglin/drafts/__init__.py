"""Drafts: what a capability proposes and a clinician accepts, edits or rejects."""
