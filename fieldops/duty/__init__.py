"""The night desk: handovers, call-outs, emergency levels and drills."""
