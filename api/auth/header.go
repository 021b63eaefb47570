package auth

// Header trusts proxies to tell who asks.
type Header struct{}
