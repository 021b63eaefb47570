package investigation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/internal/header"
)

// scene builds documents of failures that no recording has yet, from the texts that Flink,
// the kubelet and the scheduler are known to write.
type scene struct {
	t    testing.TB
	m    *memory
	c    *Catalogue
	zero time.Time
	n    int
}

const (
	sceneJob  = "00000000000000000000000000000abc"
	sceneJM   = "wordcount-5d5f7f8b9c-abcde"
	sceneTM1  = "wordcount-taskmanager-1-1"
	sceneTM2  = "wordcount-taskmanager-1-2"
	flinkPkg  = "org.apache.flink.runtime."
	execGraph = flinkPkg + "executiongraph.ExecutionGraph"
)

func newScene(t testing.TB) *scene {
	c, err := DefaultCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, m: newMemory(c), c: c, zero: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)}
	for i, p := range []string{sceneJM, sceneTM1, sceneTM2} {
		s.pod(p, fmt.Sprintf("10.1.0.%d", i+1), fmt.Sprintf("node-%d", i+1))
	}
	return s
}

func (s *scene) pod(name, ip, node string) {
	w := lastnight.WorkloadOf(&lastnight.Pod{Namespace: "prod", Name: name})
	component := "jobmanager"
	if strings.Contains(name, "-taskmanager-") {
		component = "taskmanager"
	}
	p := lastnight.Pod{Namespace: "prod", Name: name, UID: "uid-" + name, IP: ip, Node: node, Created: s.zero}
	if w.Name == "wordcount" {
		p.Labels = map[string]string{"app": "wordcount", "component": component, "type": "flink-native-kubernetes"}
	} else {
		p.Labels = map[string]string{"app": w.Name}
	}
	s.m.putPod(p)
}

func (s *scene) owner(pod, replicaSet string) {
	for i := range s.m.pods {
		if s.m.pods[i].Name == pod {
			s.m.pods[i].Owner = lastnight.ObjectRef{Kind: "ReplicaSet", Name: replicaSet}
		}
	}
}

func (s *scene) at(sec float64) time.Time {
	return s.zero.Add(time.Duration(sec * float64(time.Second)))
}

func (s *scene) say(sec float64, pod, level, logger, text string) {
	s.n++
	at := s.at(sec)
	head := at.Format("2006-01-02 15:04:05,000") + " " + fmt.Sprintf("%-5s %s [] - ", level, logger)
	var r lastnight.Record
	for i, line := range strings.Split(head+text, "\n") {
		r.Lines = append(r.Lines, lastnight.Line{Time: at.UnixNano(), Offset: int64(s.n*1000 + i), Text: []byte(line)})
		word, _, _ := strings.Cut(strings.TrimPrefix(line, "Caused by: "), ":")
		if i > 0 && (strings.HasSuffix(word, "Exception") || strings.HasSuffix(word, "Error")) {
			r.Exception = append(r.Exception, word)
		}
	}
	r.Level, r.Logger, r.MessageAt = header.Level([]byte(level)), logger, len(head)
	s.m.addRecord(&lastnight.Stream{Namespace: "prod", Pod: pod, PodUID: "uid-" + pod, Container: "main"}, lastnight.Generation{Start: 1}, r)
}

func (s *scene) state(sec float64, from, to string) {
	s.say(sec, sceneJM, "INFO", execGraph, "Job wordcount ("+sceneJob+") switched from state "+from+" to "+to+".")
}

func (s *scene) checkpoint(sec float64, n int) {
	s.say(sec, sceneJM, "INFO", flinkPkg+"checkpoint.CheckpointCoordinator", fmt.Sprintf("Completed checkpoint %d for job %s (8528 bytes, checkpointDuration=563 ms, finalizationTime=76 ms).", n, sceneJob))
}

func (s *scene) running() {
	for i, p := range []string{sceneJM, sceneTM1, sceneTM2} {
		s.container(float64(i), p, "running", "Running", 0)
	}
	s.state(5, "CREATED", "RUNNING")
	s.checkpoint(20, 1)
}

func (s *scene) restart(sec float64) {
	s.state(sec, "RUNNING", "RESTARTING")
	s.state(sec+5, "RESTARTING", "RUNNING")
	s.say(sec+5.1, sceneJM, "INFO", flinkPkg+"checkpoint.CheckpointCoordinator", "Restoring job "+sceneJob+" from Checkpoint 1 @ 1 for "+sceneJob+" located at file:/x.")
	s.checkpoint(sec+15, 2)
}

func (s *scene) failed(sec float64, why string) {
	s.say(sec, sceneJM, "INFO", execGraph, "Source: events -> map (1/2) (4d0682332d37bdcb669ad9af6cf97fad_b71731f1c0df9c3076c4a455334d0ad6_0_0) switched from RUNNING to FAILED on "+sceneTM2+" @ 10.1.0.3 (dataPort=32933).\n"+why)
}

func (s *scene) event(sec float64, kind lastnight.EventKind, object, reason, message string) {
	s.n++
	k, name, _ := strings.Cut(object, "/")
	e := lastnight.Event{ID: fmt.Sprintf("e%d", s.n), Time: s.at(sec), Kind: kind, Type: "Warning", Reason: reason, Object: lastnight.ObjectRef{Kind: k, Namespace: "prod", Name: name}, Message: message, Count: 1}
	if k == "Pod" {
		e.Object.UID = "uid-" + name
		for _, p := range s.m.pods {
			if p.Name == name {
				e.Node = p.Node
			}
		}
	}
	s.m.addEvent(e)
}

func (s *scene) container(sec float64, pod, state, reason string, exit int) {
	s.n++
	e := lastnight.Event{ID: fmt.Sprintf("c%d", s.n), Time: s.at(sec).Truncate(time.Second), Kind: lastnight.EventContainer, Reason: reason, State: state, Container: "main", Object: lastnight.ObjectRef{Kind: "Pod", Namespace: "prod", Name: pod, UID: "uid-" + pod}}
	if state == "terminated" {
		e.ExitCode = &exit
	}
	s.m.addEvent(e)
}

func (s *scene) incidents(job string) []lastnight.Incident {
	s.m.detect(s.t, s.c)
	return s.m.why(s.t, job, &truth{Namespace: "prod", Deployed: s.zero, ObservedUntil: s.zero.Add(time.Hour)})
}

// TestSessionCluster holds that two jobs of one cluster are told apart.
func TestSessionCluster(t *testing.T) {
	s := newScene(t)
	s.running()
	other := "00000000000000000000000000000def"
	state := func(sec float64, from, to string) {
		s.say(sec, sceneJM, "INFO", execGraph, "Job sums ("+other+") switched from state "+from+" to "+to+".")
	}
	state(6, "CREATED", "RUNNING")
	s.failed(100, "java.lang.OutOfMemoryError: Java heap space\n\tat com.acme.A.b(A.java:1)")
	s.restart(100.1)
	state(300, "RUNNING", "RESTARTING")
	state(305, "RESTARTING", "RUNNING")
	for job, want := range map[string]string{"wordcount": "heap-oom ", "sums": ""} {
		is := s.incidents(job)
		// What is said of the cluster as a whole goes by its name, which is also one job's here.
		is = slices.DeleteFunc(is, func(i lastnight.Incident) bool { return i.Job != job })
		if len(is) != 1 || is[0].Job != job || strings.TrimSpace(want) != is[0].Diagnosis.Cause {
			t.Errorf("%s:\n%s", job, brief(is, true))
		}
	}
}

// TestImportOfDays holds that one mark at the end of an import finds what happened days before, once each.
func TestImportOfDays(t *testing.T) {
	s := newScene(t)
	s.m.firstSeen = s.zero
	s.m.jobs = map[string]*lastnight.Job{}
	s.pod(sceneJM, "10.1.0.1", "node-1")
	s.running()
	const day = 86400
	for i := range 8 {
		at := 100 + float64(i)*day/2
		s.failed(at, "java.lang.OutOfMemoryError: Java heap space\n\tat com.acme.A.b(A.java:1)")
		s.restart(at + 0.1)
	}
	w := lastnight.WorkloadOf(&s.m.pods[0])
	s.m.note(w, w.Name, "")
	d := NewDetector(DetectorConfig{Source: s.m, Keeper: s.m, Catalogue: s.c})
	d.Mark("prod", "wordcount", s.at(100+3.5*day))
	if err := d.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(s.m.incidents); n != 8 {
		is, _ := s.m.Incidents(t.Context(), lastnight.IncidentsRequest{})
		t.Fatalf("%d incidents, want 8\n%s", n, brief(is, false))
	}
}

const heartbeat = "java.util.concurrent.TimeoutException: Heartbeat of TaskManager with id " + sceneTM1 + "(10.1.0.2:6122) timed out.\n\tat org.apache.flink.runtime.jobmaster.JobMaster$TaskManagerHeartbeatListener.notifyHeartbeatTimeout(JobMaster.java:1449)"

func TestScenarios(t *testing.T) {
	frame := "\n\tat com.acme.jobs.Counter.map(Counter.java:12)\n\tat org.apache.flink.streaming.api.operators.StreamMap.processElement(StreamMap.java:38)"
	for name, tt := range map[string]struct {
		play func(s *scene)
		want string // causes, in order; "" is no incident
		job  string
	}{
		"process frozen": {func(s *scene) { s.failed(100, heartbeat); s.restart(100.1) }, "process-hung", ""},
		"node lost": {func(s *scene) {
			s.failed(100, heartbeat)
			s.restart(100.1)
			s.event(90, lastnight.EventKubernetes, "Node/node-2", "NodeNotReady", "Node node-2 status is now: NodeNotReady")
		}, "node-offline", ""},
		"JobManager OOMKilled": {func(s *scene) {
			s.container(100, sceneJM, "terminated", "OOMKilled", 137)
			s.container(101, sceneJM, "running", "Running", 0)
			s.state(120, "CREATED", "RUNNING")
			s.checkpoint(130, 3)
		}, "jm-oomkilled", ""},
		"native crash": {func(s *scene) {
			s.say(99.9, sceneTM1, "", "", "# A fatal error has been detected by the Java Runtime Environment:")
			s.container(100, sceneTM1, "terminated", "Error", 134)
			s.failed(100.1, "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connection unexpectedly closed by remote task manager '/10.1.0.2:42237 [ "+sceneTM1+" ] '. This might indicate that the remote task manager was lost.")
			s.restart(100.2)
		}, "native-crash", ""},
		"evicted for disk pressure": {func(s *scene) {
			s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM1, "Evicted", "The node was low on resource: ephemeral-storage. Threshold quantity: 1, available: 0.")
			s.event(100, lastnight.EventPod, "Pod/"+sceneTM1, "Evicted", "The node was low on resource: ephemeral-storage.")
			s.failed(101, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
			s.restart(101.2)
		}, "pod-evicted-node-pressure", ""},
		"ephemeral storage": {func(s *scene) {
			s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM1, "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.")
			s.event(100, lastnight.EventPod, "Pod/"+sceneTM1, "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.")
			s.failed(101, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
			s.restart(101.2)
		}, "ephemeral-storage-exceeded", ""},
		"liveness probe": {func(s *scene) {
			s.event(95, lastnight.EventKubernetes, "Pod/"+sceneTM1, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")
			s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM1, "Killing", "Container main failed liveness probe, will be restarted")
			s.container(101, sceneTM1, "terminated", "Error", 143)
			s.failed(101, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
			s.restart(101.2)
		}, "liveness-probe-killed", ""},
		"preempted": {func(s *scene) {
			s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM1, "Preempted", "Preempted by pod 1234 on node node-2")
			s.event(100, lastnight.EventPod, "Pod/"+sceneTM1, "Deleted", "")
			s.say(100.5, sceneTM1, "INFO", "x.Runner", "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.")
			s.failed(101, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
			s.restart(101.2)
		}, "pod-preempted", ""},
		"a workload crashes again and again": {func(s *scene) {
			s.pod("feed", "10.1.0.9", "node-1")
			for _, at := range []float64{100, 102, 118} {
				s.container(at, "feed", "terminated", "Error", 3)
			}
			s.event(104, lastnight.EventKubernetes, "Pod/feed", "BackOff", "Back-off restarting failed container feed in pod feed_prod(uid-feed)")
		}, "crash-loop", "feed"},
		"disk full": {func(s *scene) {
			s.failed(100, "java.io.IOException: Could not write\n\tat org.apache.flink.x.Y.z(Y.java:1)\nCaused by: org.rocksdb.RocksDBException: While appending to file: /tmp/x.sst: No space left on device")
			s.restart(100.1)
		}, "disk-full", ""},
		"user code": {func(s *scene) {
			s.failed(100, "java.lang.IllegalStateException: no"+frame)
			s.restart(100.1)
		}, "user-code-exception", ""},
		"noise before user code": {func(s *scene) {
			s.say(98, sceneTM1, "ERROR", "com.acme.jobs.Lookup", "Lookup failed, cached value is used\njava.net.UnknownHostException: geo"+frame)
			s.say(99, sceneTM1, "WARN", "com.acme.jobs.Lookup", "Lookup failed, cached value is used\njava.net.ConnectException: Connection refused"+frame)
			s.failed(100, "java.lang.IllegalStateException: no"+frame)
			s.restart(100.1)
		}, "user-code-exception", ""},
		"two different failures": {func(s *scene) {
			s.failed(100, "java.lang.OutOfMemoryError: Java heap space"+frame)
			s.restart(100.1)
			s.failed(200, "java.net.UnknownHostException: geo"+frame)
			s.restart(200.1)
		}, "heap-oom dns-failure", ""},
		"killed for memory, then bad input": {func(s *scene) {
			s.container(100, sceneTM1, "terminated", "OOMKilled", 137)
			s.failed(100.1, "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connection unexpectedly closed by remote task manager '/10.1.0.2:42237 [ "+sceneTM1+" ] '.")
			s.restart(100.2)
			s.failed(150, "java.lang.NumberFormatException: For input string: \"x\""+frame)
			s.restart(150.1)
		}, "tm-oomkilled bad-record", ""},
		"the same failure twice": {func(s *scene) {
			s.failed(100, "java.lang.OutOfMemoryError: Java heap space"+frame)
			s.restart(100.1)
			s.failed(200, "java.lang.OutOfMemoryError: Java heap space"+frame)
			s.restart(200.1)
		}, "heap-oom", ""},
		"the same failure an hour's quarter later": {func(s *scene) {
			s.failed(100, "java.lang.OutOfMemoryError: Java heap space"+frame)
			s.restart(100.1)
			s.failed(1000, "java.lang.OutOfMemoryError: Java heap space"+frame)
			s.restart(1000.1)
		}, "heap-oom heap-oom", ""},
		"cancelled": {func(s *scene) {
			s.state(100, "RUNNING", "CANCELLING")
			s.state(101, "CANCELLING", "CANCELED")
		}, "planned-upgrade", ""},
		"finished": {func(s *scene) { s.state(100, "RUNNING", "FINISHED") }, "", ""},
		"leader lost": {func(s *scene) {
			s.say(100, sceneJM, "INFO", flinkPkg+"jobmaster.JobMasterServiceLeadershipRunner", "JobMasterServiceLeadershipRunner for job "+sceneJob+" was revoked leadership with leader id 1. Stopping current JobMasterServiceProcess.")
			s.state(100.5, "RUNNING", "SUSPENDED")
			s.state(110, "CREATED", "RUNNING")
			s.checkpoint(120, 4)
		}, "ha-lease-lost", ""},
		"API server away": {func(s *scene) {
			s.say(95, sceneJM, "ERROR", "org.apache.flink.kubernetes.shaded.io.fabric8.kubernetes.client.extended.leaderelection.LeaderElector", "Exception occurred while renewing lock 'ConfigMapLock: prod - wordcount-cluster-config-map (1)'\nio.fabric8.kubernetes.client.extended.leaderelection.resourcelock.LockException: Unable to update ConfigMapLock")
			s.say(100, sceneJM, "INFO", flinkPkg+"jobmaster.JobMasterServiceLeadershipRunner", "JobMasterServiceLeadershipRunner for job "+sceneJob+" was revoked leadership with leader id 1. Stopping current JobMasterServiceProcess.")
			s.state(100.5, "RUNNING", "SUSPENDED")
			s.state(110, "CREATED", "RUNNING")
			s.checkpoint(120, 4)
		}, "apiserver-unavailable", ""},
		"JobManager frozen": {func(s *scene) {
			s.say(100, sceneTM1, "WARN", flinkPkg+"taskmanager.Task", "Source: events -> map (1/2)#0 (4d0682332d37bdcb669ad9af6cf97fad_b71731f1c0df9c3076c4a455334d0ad6_0_0) switched from RUNNING to FAILED with failure cause:\norg.apache.flink.util.FlinkException: Disconnect from JobManager responsible for "+sceneJob+".\nCaused by: java.util.concurrent.TimeoutException: The heartbeat of JobManager with id f00 timed out.")
			s.failed(101, "org.apache.flink.util.FlinkException: Disconnect from JobManager responsible for "+sceneJob+".\nCaused by: java.util.concurrent.TimeoutException: The heartbeat of JobManager with id f00 timed out.")
			s.restart(101.2)
		}, "process-hung", ""},
		"frozen process that Flink replaces": {func(s *scene) {
			s.failed(100, heartbeat)
			s.say(100.05, sceneJM, "INFO", flinkPkg+"resourcemanager.active.ActiveResourceManager", "Stopping worker "+sceneTM1+".")
			s.event(100, lastnight.EventPod, "Pod/"+sceneTM1, "Deleted", "")
			s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM1, "Killing", "Stopping container main")
			s.container(130, sceneTM1, "terminated", "Error", 137)
			s.restart(100.1)
		}, "process-hung", ""},
		"changed deployment": {func(s *scene) {
			s.owner(sceneJM, "wordcount-5d5f7f8b9c")
			s.pod("wordcount-6a6f7f8b9c-fghij", "10.1.0.8", "node-1")
			s.owner("wordcount-6a6f7f8b9c-fghij", "wordcount-6a6f7f8b9c")
			s.m.pods[len(s.m.pods)-1].Created = s.at(99)
			s.event(100, lastnight.EventPod, "Pod/"+sceneJM, "Deleted", "")
			s.event(100, lastnight.EventKubernetes, "Pod/"+sceneJM, "Killing", "Stopping container main")
			s.say(100.5, sceneJM, "INFO", flinkPkg+"entrypoint.ClusterEntrypoint", "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.")
			s.state(100.6, "RUNNING", "SUSPENDED")
			s.container(103, sceneJM, "terminated", "Error", 143)
			s.say(110, "wordcount-6a6f7f8b9c-fghij", "INFO", flinkPkg+"entrypoint.ClusterEntrypoint", " Starting KubernetesApplicationClusterEntrypoint (Version: 1.20.1)")
			s.say(115, "wordcount-6a6f7f8b9c-fghij", "INFO", execGraph, "Job wordcount ("+sceneJob+") switched from state CREATED to RUNNING.")
			s.checkpoint(125, 3)
		}, "planned-upgrade", ""},
		"out of heap, told below the last record": {func(s *scene) {
			s.say(99.9, sceneTM1, "INFO", "com.acme.Sink", "Committed batch 10\nTerminating due to java.lang.OutOfMemoryError: Java heap space")
			s.container(100, sceneTM1, "terminated", "Error", 3)
			s.failed(100.1, "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connection unexpectedly closed by remote task manager '/10.1.0.2:42237 [ "+sceneTM1+" ] '.")
			s.restart(100.2)
		}, "heap-oom", ""},
		"network broken": {func(s *scene) {
			s.say(95, sceneTM1, "INFO", "com.acme.Sink", "Committed batch 10")
			s.failed(100, heartbeat)
			s.restart(100.1)
		}, "network-partition", ""},
		"wrong argument of main": {func(s *scene) {
			s.say(99, sceneJM, "ERROR", "org.apache.flink.client.deployment.application.ApplicationDispatcherBootstrap", "Application failed unexpectedly: \njava.util.concurrent.CompletionException: org.apache.flink.client.deployment.application.ApplicationExecutionException: Could not execute application.\nCaused by: org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: For input string: \"ten\"\nCaused by: java.lang.NumberFormatException: For input string: \"ten\""+frame)
			s.container(100, sceneJM, "terminated", "Error", 2)
		}, "application-main-failed", ""},
		"state of another program": {func(s *scene) {
			s.say(99, sceneJM, "ERROR", flinkPkg+"dispatcher.StandaloneDispatcher", "Job "+sceneJob+" reached terminal state FAILED.\norg.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.\nCaused by: java.lang.IllegalStateException: Failed to rollback to checkpoint/savepoint file:/x. Cannot map checkpoint/savepoint state for operator a to the new program, because the operator is not available in the new program.")
			s.say(99.5, sceneJM, "INFO", flinkPkg+"entrypoint.ClusterEntrypoint", "Shutting KubernetesApplicationClusterEntrypoint down with application status FAILED. Diagnostics null.")
			for _, p := range []string{sceneJM, sceneTM1, sceneTM2} {
				s.event(100, lastnight.EventPod, "Pod/"+p, "Deleted", "")
				s.event(100, lastnight.EventKubernetes, "Pod/"+p, "Killing", "Stopping container main")
				s.container(101, p, "terminated", "Error", 143)
			}
		}, "state-operator-missing", ""},
		"quota keeps the deployment from starting": {func(s *scene) {
			for i := range 4 {
				s.event(10+float64(i)*20, lastnight.EventKubernetes, "ReplicaSet/billing-api-7d9c5b8f6d", "FailedCreate", "Error creating: pods \"billing-api-7d9c5b8f6d-x\" is forbidden: exceeded quota: compute, requested: memory=1Gi, used: memory=9Gi, limited: memory=9Gi")
			}
			s.m.note(lastnight.Workload{Namespace: "prod", Name: "billing-api"}, "billing-api", "")
		}, "quota-exceeded", "billing-api"},
		"JobManager pod deleted": {func(s *scene) {
			s.event(100, lastnight.EventPod, "Pod/"+sceneJM, "Deleted", "")
			s.event(100, lastnight.EventKubernetes, "Pod/"+sceneJM, "Killing", "Stopping container main")
			s.say(100.5, sceneJM, "INFO", flinkPkg+"entrypoint.ClusterEntrypoint", "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.")
			s.container(103, sceneJM, "terminated", "Error", 143)
			s.pod("wordcount-5d5f7f8b9c-fghij", "10.1.0.8", "node-1")
			s.say(110, "wordcount-5d5f7f8b9c-fghij", "INFO", flinkPkg+"entrypoint.ClusterEntrypoint", " Starting KubernetesApplicationClusterEntrypoint (Version: 1.20.1)")
			s.say(115, "wordcount-5d5f7f8b9c-fghij", "INFO", execGraph, "Job wordcount ("+sceneJob+") switched from state CREATED to RUNNING.")
			s.checkpoint(125, 3)
		}, "pod-deleted-by-user", ""},
		"logs only": {func(s *scene) { // no events were recorded
			for id, d := range s.m.docs {
				if d.Event != nil {
					delete(s.m.docs, id)
				}
			}
			s.m.sorted = nil
			s.failed(100, "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connection unexpectedly closed by remote task manager '/10.1.0.2:42237 [ "+sceneTM1+" ] '. This might indicate that the remote task manager was lost.")
			s.say(100.5, sceneJM, "INFO", flinkPkg+"resourcemanager.active.ActiveResourceManager", "Worker "+sceneTM1+" is terminated. Diagnostics: Pod terminated, container termination statuses: [flink-main-container(exitCode=137, reason=OOMKilled, message=null)]")
			s.restart(100.2)
		}, "tm-oomkilled", ""},
		"savepoint not found": {func(s *scene) {
			s.say(99, sceneJM, "ERROR", flinkPkg+"entrypoint.ClusterEntrypoint", "Fatal error occurred in the cluster entrypoint.\njava.util.concurrent.CompletionException: org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.\nCaused by: java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '/x' on file system 'file'.")
			s.container(100, sceneJM, "terminated", "Error", 1)
		}, "savepoint-not-found", ""},
		"quota": {func(s *scene) {
			s.say(60, sceneJM, "WARN", "org.apache.flink.kubernetes.KubernetesResourceManagerDriver", "Could not create pod wordcount-taskmanager-1-3, exception: io.fabric8.kubernetes.client.KubernetesClientException: Message: pods \"x\" is forbidden: exceeded quota: compute, requested: memory=1Gi, used: memory=9Gi, limited: memory=9Gi.")
			s.failed(100, "org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum required resources.")
			s.restart(100.1)
		}, "quota-exceeded", ""},
		"no node matches": {func(s *scene) {
			s.state(50, "RUNNING", "RESTARTING")
			s.pod("wordcount-taskmanager-1-3", "", "")
			s.event(51, lastnight.EventKubernetes, "Pod/wordcount-taskmanager-1-3", "FailedScheduling", "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.")
		}, "unschedulable-constraints", ""},
		"volume": {func(s *scene) {
			s.state(50, "RUNNING", "RESTARTING")
			s.pod("wordcount-taskmanager-1-3", "", "node-1")
			for i := range 4 {
				s.event(51+float64(i)*30, lastnight.EventKubernetes, "Pod/wordcount-taskmanager-1-3", "FailedAttachVolume", "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another")
			}
		}, "volume-attach-failed", ""},
		"kafka away": {func(s *scene) {
			s.failed(100, "org.apache.flink.util.FlinkRuntimeException: Failed to send data to Kafka\nCaused by: org.apache.kafka.common.errors.TimeoutException: Topic orders not present in metadata after 60000 ms.")
			s.restart(100.1)
		}, "kafka-broker-unavailable", ""},
		"buffers": {func(s *scene) {
			s.failed(100, "java.io.IOException: Insufficient number of network buffers: required 33, but only 8 available. The total number of network buffers is currently set to 2048 of 32768 bytes each.")
			s.restart(100.1)
		}, "network-buffers-short", ""},
		"ordinary workload crashes": {func(s *scene) {
			s.pod("billing-api-7d9c5b8f6d-x2x4z", "10.1.0.9", "node-1")
			s.container(10, "billing-api-7d9c5b8f6d-x2x4z", "running", "Running", 0)
			s.container(100, "billing-api-7d9c5b8f6d-x2x4z", "terminated", "OOMKilled", 137)
			s.container(101, "billing-api-7d9c5b8f6d-x2x4z", "running", "Running", 0)
		}, "container-oomkilled", "billing-api"},
		"ordinary workload is deleted": {func(s *scene) {
			s.pod("billing-api-7d9c5b8f6d-x2x4z", "10.1.0.9", "node-1")
			s.container(10, "billing-api-7d9c5b8f6d-x2x4z", "running", "Running", 0)
			s.event(99, lastnight.EventPod, "Pod/billing-api-7d9c5b8f6d-x2x4z", "Deleted", "")
			s.container(100, "billing-api-7d9c5b8f6d-x2x4z", "terminated", "Error", 143)
			s.pod("billing-api-7d9c5b8f6d-aaaaa", "10.1.0.9", "node-1")
			s.container(101, "billing-api-7d9c5b8f6d-aaaaa", "running", "Running", 0)
		}, "planned-upgrade", "billing-api"},
		"ordinary workload ends well": {func(s *scene) {
			s.pod("billing-api-7d9c5b8f6d-x2x4z", "10.1.0.9", "node-1")
			s.container(10, "billing-api-7d9c5b8f6d-x2x4z", "running", "Running", 0)
			s.container(100, "billing-api-7d9c5b8f6d-x2x4z", "terminated", "Completed", 0)
		}, "", "billing-api"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			job := tt.job
			if job == "" {
				job = "wordcount"
				s.running()
			}
			tt.play(s)
			is := s.incidents(job)
			var got []string
			for _, i := range is {
				got = append(got, i.Diagnosis.Cause)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("causes %q, want %q\n%s", got, tt.want, brief(is, true))
			}
		})
	}
}
