"""Steps of work orders: who may take them, and what they need."""
