"""The words of the trade that several services share; standard library only."""
