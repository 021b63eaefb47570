// Command prepare builds the etcd, kube-apiserver and helm that tests use, unless they are
// cached, and prints their paths. It exits 1 and says why where that is not possible.
package main

import (
	"context"
	"fmt"
	"os"

	"lastnight/internal/testenv/kube"
)

func main() {
	b, err := kube.Build(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(b.Etcd)
	fmt.Println(b.APIServer)
	fmt.Println(b.Helm)
}
