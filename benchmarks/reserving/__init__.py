"""P3 and P4: reservations over HTTP and in process, beside what others do for one."""
