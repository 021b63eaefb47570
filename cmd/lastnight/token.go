package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lastnight"
	"lastnight/api/auth"
)

func newToken() *cobra.Command {
	var role string
	var namespaces []string
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Make a bearer token: the secret on stdout, its entry for --auth-tokens on stderr",
		Long: `Make a bearer token. The token itself goes to standard output, once; the entry for the file
that --auth-tokens names, which has only its hash, to standard error.`,
		Example: `  lastnight token prometheus                                   > token 2>> tokens.yaml
  lastnight token ann --role reviewer --namespaces flink-prod,kafka`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := auth.CheckName(args[0])
			if err != nil {
				return err
			}
			if !lastnight.Role(role).AtLeast(lastnight.RoleViewer) {
				return lastnight.Errorf(lastnight.CodeInvalid, "--role viewer, labeler, reviewer or admin", "--role: %q is none", role)
			}
			secret, hash, err := auth.NewToken()
			if err != nil {
				return err
			}
			quoted := make([]string, len(namespaces))
			for i, n := range namespaces {
				quoted[i] = strconv.Quote(n)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "# below tokens: in the file of --auth-tokens\n  - name: %s\n    hash: %s\n    role: %s\n    namespaces: [%s]\n",
				strconv.Quote(name), hash, role, strings.Join(quoted, ", "))
			fmt.Fprintln(cmd.OutOrStdout(), secret)
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", string(lastnight.RoleViewer), "viewer, labeler, reviewer or admin")
	cmd.Flags().StringSliceVar(&namespaces, "namespaces", []string{lastnight.EveryNamespace}, "`namespaces` that it may read; * for all")
	return cmd
}
