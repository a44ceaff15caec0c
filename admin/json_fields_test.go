package admin

import (
	"reflect"
	"strings"
	"testing"

	"hyperv_replica_exporter/admin/internal/authz"
	"hyperv_replica_exporter/admin/internal/job"
	"hyperv_replica_exporter/admin/internal/operation"
	"hyperv_replica_exporter/admin/internal/problem"
)

// The names of the JSON fields, with a ? for those that are left out if they are empty. Clients and stored files depend
// on them.
func TestJSONFields(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{
			operation.Request{},
			"dry_run? expected_state? expected_mode? reason? vm_name? max_data_loss_seconds? " +
				"accept_unknown_loss? confirmation_token? old_primary_is_off? test_result? target? parameters?",
		},
		{
			operation.PlannedCall{},
			"action does destroys? role object class method parameters expected_state_after? job_type?",
		},
		{operation.TargetState{}, "state mode health?"},
		{operation.DataLoss{}, "lag_seconds pending_bytes"},
		{operation.Issue{}, "message_id message severity probable_cause? probable_cause_description? recommended_actions?"},
		{
			job.Record{},
			"id state warnings? scheduled? percent_complete? action method job_type? vm_id? vm? " +
				"claimed_vm_id? relationship? bulk_id? user reason? role created updated ended? native_job? native_state? " +
				"cancellable return_code? error_code? error? errors? result? late_reply? test_vm_id? test_result?",
		},
		{job.LateReply{}, "time return_code? native_job? error?"},
		{unlockRequest{}, "confirmation_token? reason? vm_name?"},
		{problem.Response{}, "status type location? retry? body"},
		{storedResponse{}, "request job created answer?"},
		{maintenance{}, "id scope vm_id? vm? owner reason user from until ended? active"},
		{maintenanceList{}, "maintenance continue?"},
		{announcement{}, "vm_id? owner reason until"},
		{cancelRequest{}, "dry_run? reason?"},
		{
			bulkRequest{},
			"dry_run? vm_ids? primary_server? max_data_loss_seconds? accept_unknown_loss? confirmation_token? reason? " +
				"host_name? vm_count?",
		},
		{bulkPlan{}, "dry_run requires_confirmation vm_count counts vms"},
		{bulkVM{}, "vm_id vm? state current? estimated_loss? problem? job_id? error?"},
		{bulkProblem{}, "type title status detail"},
		{
			bulkFailover{},
			"id state primary_server? user reason max_data_loss_seconds accept_unknown_loss created counts vms?",
		},
		{bulkFailoverList{}, "bulk_failovers continue?"},
		{jobList{}, "jobs continue?"},
		{dryRunResult{}, "dry_run plan requires_confirmation current? estimated_loss?"},
		{methodResult{}, "return_code out"},
		{replicaList{}, "time replicas"},
		{
			replicaView{},
			"vm_id vm relationship protected power last_replication_time failed_over_replication_type? " +
				"primary_server? replica_server? test_vms? test_vm_names? objective_seconds? health_issues statistics_error? " +
				"last_test_failover_time last_test_result? jobs allowed_operations url?",
		},
		{
			replicaDetail{},
			"settings statistics recovery_points recovery_points_error? refused_operations operations",
		},
		{authorizationList{}, "entries"},
		{actionView{}, "method does destroys? role url"},
		{refusedAction{}, "operation type reason works_in_states? works_in_modes?"},
		{recoveryPointView{}, "InstanceID type created"},
		{
			statisticsView{},
			"window_start successful_cycles missed_cycles failed_cycles network_failures replicated_bytes " +
				"max_cycle_bytes latency_seconds_sum max_cycle_seconds last_test_failover_time",
		},
		{methodList{}, "methods"},
		{methodView{}, "name class does destroys? reads parameters returns modes? states? needs_vm_off? instead?"},
		{parameterView{}, "name type class? optional?"},
		{reloadResult{}, "reloaded rules"},
		{callerView{}, "name user? subject? read_only permissions"},
		{authz.AlternativeNames{}, "dns_names? uris? emails? upns?"},
		{authz.Permission{}, "role vms host methods? destructive"},
	} {
		if got := jsonFields(reflect.TypeOf(tt.value)); got != tt.want {
			t.Errorf("%T: got %s, want %s", tt.value, got, tt.want)
		}
	}
}

// jsonFields returns the names of the JSON fields of a struct. A field of another struct without a name is left out.
func jsonFields(t reflect.Type) string {
	var all []string
	for f := range t.Fields() {
		if tag := f.Tag.Get("json"); tag != "" && tag != "-" {
			all = append(all, strings.ReplaceAll(tag, ",omitempty", "?"))
		}
	}
	return strings.Join(all, " ")
}
