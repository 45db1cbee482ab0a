"""Who may ask for what: foreign pages, logins, accounts of the Hub, visitors of a public demo."""
