"""The valve operation sheet that a crew takes along on paper."""
