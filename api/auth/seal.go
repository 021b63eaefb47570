package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

const maxSealedBytes = 4 << 10 // browsers keep no longer cookies

// seal makes text of v that only unseal reads, and that nobody else can make (AES-256-GCM).
func (s *Sessions) seal(ctx context.Context, v any) (string, error) {
	box, err := s.box(ctx)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	nonce := make([]byte, box.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(box.Seal(nonce, nonce, plain, []byte(loginCookie))), nil
}

func (s *Sessions) unseal(ctx context.Context, text string, v any) error {
	if len(text) > maxSealedBytes {
		return errors.New("unseal: too long")
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	box, err := s.box(ctx)
	if err != nil {
		return err
	}
	if len(b) < box.NonceSize() {
		return errors.New("unseal: too short")
	}
	plain, err := box.Open(nil, b[:box.NonceSize()], b[box.NonceSize():], []byte(loginCookie))
	if err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	return nil
}

func (s *Sessions) box(ctx context.Context) (cipher.AEAD, error) {
	key, err := s.loginKey(ctx)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the login key: %w", err)
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("use the login key: %w", err)
	}
	return box, nil
}
