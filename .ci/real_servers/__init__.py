"""The parts of `.ci/real-servers`: what is checked, the servers it is checked against, where those come from."""
