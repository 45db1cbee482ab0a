"""What this machine has and what its host promises: devices, a Space's hardware, a card lent for moments."""
