"""Mails: written in the transaction of what they tell, sent by a job, at most once each."""
