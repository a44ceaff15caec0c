package exporter

import (
	"fmt"

	"hyperv_replica_exporter/collector"
)

// objectives is the value of --rpo.objective.
type objectives []collector.Objective

// Set implements kingpin.Value.
func (o *objectives) Set(text string) error {
	rule, err := collector.ParseObjective(text)
	if err != nil {
		return err
	}
	*o = append(*o, rule)
	return nil
}

// IsCumulative makes the flag repeatable.
func (o *objectives) IsCumulative() bool { return true }

func (o *objectives) String() string { return fmt.Sprintf("%d rules", len(*o)) }
