"""Training: blocks of the corpus, engines that work them off, schedules, reports. Knows no loss by
name."""
