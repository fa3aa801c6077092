"""Decides what a run does next and what it has become: functions of values, nothing else."""
