"""Training: blocks of the corpus, engines that process them, schedules, reports. Independent of the
losses."""
