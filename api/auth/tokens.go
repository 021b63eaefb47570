package auth

// Tokens are the bearer tokens of a file.
type Tokens struct{}
