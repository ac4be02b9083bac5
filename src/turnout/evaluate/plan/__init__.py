"""What a change of prices, models or thresholds would have made of recorded traffic: spend and quality, old and new."""
