package main

import (
	"context"
	"fmt"

	"lastnight"
	"lastnight/indexer"
	"lastnight/indexer/store"
)

// tiers is what investigations read: both tiers, and the pods.
type tiers struct {
	*indexer.Indexer
	store store.Store
}

// Pods lists the pods of a workload, living and gone.
func (s tiers) Pods(ctx context.Context, namespace, workload string) ([]lastnight.Pod, error) {
	pods, err := s.store.Pods(ctx, store.PodsRequest{Namespace: namespace, Workload: workload})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return pods, nil
}

// PodsByIP lists the pods that had an address, living and gone.
func (s tiers) PodsByIP(ctx context.Context, ip string) ([]lastnight.Pod, error) {
	pods, err := s.store.Pods(ctx, store.PodsRequest{IP: ip})
	if err != nil {
		return nil, fmt.Errorf("list pods of %s: %w", ip, err)
	}
	return pods, nil
}
