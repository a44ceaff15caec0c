package admin

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
)

// The limits of the API and the names that clients and files depend on.
func TestLimits(t *testing.T) {
	defaults := Options{}.withDefaults()
	for name, tt := range map[string]struct{ got, want any }{
		"bytes of a body":                   {maxBodyBytes, 65536},
		"bytes of a text":                   {operation.MaxTextBytes, 1000},
		"bytes of an Idempotency-Key":       {maxIdempotencyKey, 255},
		"life of a stored response":         {keepResponses, 24 * time.Hour},
		"life of a token":                   {tokenLifetime, 3 * time.Minute},
		"tokens":                            {maxTokens, 5000},
		"tokens of a user":                  {maxTokensPerUser, 500},
		"bulk tokens of a user":             {maxBulkTokensPerUser, 20},
		"VMs of a bulk failover":            {maxBulkVMs, 1024},
		"VMs that fail over at a time":      {defaults.BulkParallelism, 3},
		"slot of a VM whose job runs":       {defaults.BulkJobTimeout, 2 * time.Minute},
		"life of bulk failovers":            {keepBulk, 720 * time.Hour},
		"kept bulk failovers":               {maxBulkRecords, 100},
		"entries of a list":                 {maxListed, 500},
		"kept maintenance":                  {maxKeptMaintenance, 10_000},
		"length of maintenance":             {maxMaintenance, 744 * time.Hour},
		"active announcements":              {maxMaintenanceCount, 1000},
		"life of maintenance after its end": {keepMaintenance, 168 * time.Hour},
		"remembered callers":                {maxCallers, 4096},
		"time for the state of the host":    {readTimeout, 20 * time.Second},
		"time for the body":                 {defaults.BodyTimeout, 10 * time.Second},
		"time for a call":                   {defaults.CallTimeout, 30 * time.Second},
		"interval of checks":                {defaults.WatchInterval, 5 * time.Second},
		"actions in progress":               {defaults.MaxActions, 32},
		"requests per second of a caller":   {defaults.RequestRate, 10.0},
		"requests at once of a caller":      {defaults.RequestBurst, 100},
		"actions per second of a caller":    {defaults.ActionRate, 2.0},
		"actions at once of a caller":       {defaults.ActionBurst, 100},
		"factor of the role failover":       {failoverFactor, 10},
		"requests in progress":              {maxSlots, 8},
		"requests of a caller in progress":  {maxSlotsPerCaller, 4},
		"wait of a request":                 {slotTimeout, 10 * time.Second},
		"file of the audit log":             {auditFile, "audit.jsonl"},
		"file of the store":                 {storeFile, "admin.db"},
		"bucket of jobs":                    {job.Bucket, "jobs"},
		"bucket of responses":               {bucketResponses, "answers"},
		"bucket of maintenance":             {bucketMaintenance, "maintenance"},
		"bucket of bulk failovers":          {bucketBulk, "bulk_failovers"},
		"header of a key":                   {headerIdempotencyKey, "Idempotency-Key"},
		"header of a stored response":       {headerReplayed, "Idempotency-Replayed"},
		"name of maintenance in a policy":   {maintenanceAction, "maintenance"},
		"scopes of maintenance":             {[]maintenanceScope{scopeHost, scopeVM}, []maintenanceScope{"host", "vm"}},
		"path of relationships":             {apiReplicas, "/api/v1/replicas"},
		"path of authorization entries":     {apiAuthorization, "/api/v1/authorization"},
		"path of methods":                   {apiMethods, "/api/v1/methods"},
		"path of jobs":                      {apiJobs, "/api/v1/jobs"},
		"path of bulk failovers":            {apiBulkFailovers, "/api/v1/bulk-failovers"},
		"path of maintenance":               {apiMaintenance, "/api/v1/maintenance"},
		"path of the description":           {apiDescription, "/api/v1/openapi.json"},
	} {
		if fmt.Sprint(tt.got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
}

// Only the account of the program can read the directory of the audit log and the store.
func TestModeOfTheDataDirectory(t *testing.T) {
	info, err := os.Stat(newTestEnv(t).hosts["HV01"].folder)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
}
