"""What several papers need: small modules without claims."""
