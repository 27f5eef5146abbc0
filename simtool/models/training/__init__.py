"""What the trained networks share: the loop, its settings, checkpoints, preemption, several devices and workers."""
