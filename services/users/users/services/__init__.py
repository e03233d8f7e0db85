"""Every write of the users service: functions that open the transaction."""
