"""`/v1/`: the addresses of OpenAI's API, metered. Programs made for OpenAI speak to the portal's models without a change."""
