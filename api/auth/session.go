package auth

// Sessions keeps who is signed in.
type Sessions struct{}
