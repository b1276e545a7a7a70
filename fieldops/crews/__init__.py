"""Who can be sent: people, skills, shifts, vehicles and where they are."""
