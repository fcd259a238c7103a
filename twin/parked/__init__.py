"""Vehicles that stand in stalls, as looks at these tell, and the tracks of what drives, as one."""
