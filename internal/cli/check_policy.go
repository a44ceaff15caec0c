package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kingpin/v2"

	"hyperv_replica_exporter/admin"
)

// checkPolicyCommand checks a policy of the admin endpoint.
func checkPolicyCommand() command {
	return command{
		name: "check-policy",
		help: "Check a policy of the admin endpoint, and print who may do what. " +
			"The exit code is 1 if the policy is not valid.",
		setup: func(app *kingpin.Application) func(context.Context, Environment) error {
			var policy, web string
			app.Arg("file", "Path to the policy.").Required().StringVar(&policy)
			app.Flag("web.config.file", "Path to the web configuration of the admin endpoint. "+
				"With it, callers that it does not know are warnings.").StringVar(&web)
			return func(_ context.Context, env Environment) error { return checkPolicy(env, policy, web) }
		},
	}
}

// checkPolicy prints the permissions to stdout and the warnings to stderr.
func checkPolicy(env Environment, policy, web string) error {
	report, err := admin.DescribePolicy(policy, web)
	if err != nil {
		return err
	}
	for _, warning := range report.Warnings {
		fmt.Fprintln(env.Stderr, "warning:", warning)
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CALLER\tROLE\tVMS\tHOST\tMETHODS\tDESTRUCTIVE")
	for _, g := range report.Grants {
		methods := "all of the role"
		if g.Methods != nil {
			methods = strings.Join(g.Methods, ", ")
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%s\t%s\n",
			g.Kind, g.Name, g.Role, g.VMs, yesNo(g.Host), methods, yesNo(g.Destructive))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if report.ReadOnly {
		fmt.Fprintln(env.Stdout, "The policy is read_only: it denies everything but reading.")
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
