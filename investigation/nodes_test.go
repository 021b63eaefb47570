package investigation

import (
	"testing"

	"lastnight"
)

// What was seen on real nodes and got a test of its own.

// want holds that the job has one incident, of that cause.
func (s *scene) want(cause string) {
	s.t.Helper()
	is := s.incidents("wordcount")
	if len(is) != 1 || is[0].Diagnosis.Cause != cause {
		s.t.Errorf("want %s\n%s", cause, brief(is, true))
	}
}

// created sets when a pod was made.
func (s *scene) created(pod string, sec float64) {
	for i := range s.m.pods {
		if s.m.pods[i].Name == pod {
			s.m.pods[i].Created = s.at(sec)
		}
	}
}

// TestIDStays holds that an incident keeps its id when an event that arrives late, and has only seconds, turns
// out to be its beginning.
func TestIDStays(t *testing.T) {
	s := newScene(t)
	s.running()
	s.state(100.6, "RUNNING", "SUSPENDED")
	before := s.incidents("wordcount")
	s.container(100.7, sceneJM, "terminated", "Error", 2)
	after := s.incidents("wordcount")
	if len(before) != 1 || len(after) != 1 {
		t.Fatalf("%d, then %d incidents", len(before), len(after))
	}
	if !after[0].Start.Before(before[0].Start) {
		t.Errorf("the event does not begin the incident: %v, then %v", before[0].Start, after[0].Start)
	}
	if before[0].ID != after[0].ID {
		t.Errorf("the id was %s and is %s", before[0].ID, after[0].ID)
	}
}

// TestProbeKilled holds that the kubelet's reason to stop a container is found where it does not say it itself.
func TestProbeKilled(t *testing.T) {
	for _, c := range []struct {
		unhealthy float64
		want      string
	}{{100, "liveness-probe-killed"}, {60, "pod-deleted-by-user"}} {
		s := newScene(t)
		s.running()
		s.event(c.unhealthy, lastnight.EventKubernetes, "Pod/"+sceneTM2, "Unhealthy", "Liveness probe failed: ")
		s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM2, "Killing", "Stopping container main")
		s.say(100.5, sceneTM2, "INFO", "x.TaskManagerRunner", "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.")
		s.failed(100.8, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
		s.restart(101)
		s.container(101, sceneTM2, "terminated", "Error", 143)
		s.want(c.want)
	}
}

// TestJobManagerDeleted holds that a JobManager's pod that somebody deleted is told from a deployment that somebody
// deleted, also when the whole job goes soon after.
func TestJobManagerDeleted(t *testing.T) {
	s := newScene(t)
	s.running()
	next := "wordcount-5d5f7f8b9c-fghij"
	s.pod(next, "10.1.0.9", "node-1")
	s.created(next, 101)
	s.event(100, lastnight.EventPod, "Pod/"+sceneJM, "Deleted", "")
	s.event(100, lastnight.EventKubernetes, "Pod/"+sceneJM, "Killing", "Stopping container main")
	s.container(101, sceneJM, "terminated", "Error", 143)
	s.container(102, next, "running", "Running", 0)
	s.say(103, next, "INFO", flinkPkg+"entrypoint.ClusterEntrypoint", "Starting KubernetesApplicationClusterEntrypoint (Version: 1.20.1)")
	for i, p := range []string{next, sceneTM1, sceneTM2} {
		s.event(150+float64(i)/10, lastnight.EventPod, "Pod/"+p, "Deleted", "")
		s.container(152, p, "terminated", "Error", 143)
	}
	is := s.incidents("wordcount")
	if len(is) == 0 || is[0].Planned || is[0].Diagnosis.Cause != "pod-deleted-by-user" {
		t.Errorf("%s", brief(is, true))
	}
}

// TestDeletedByWhom holds that a process which says that it was told to end is not taken for more than it is.
func TestDeletedByWhom(t *testing.T) {
	s := newScene(t)
	s.running()
	s.say(100.5, sceneTM2, "INFO", "x.TaskManagerRunner", "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.")
	s.failed(100.8, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
	s.restart(101)
	is := s.incidents("wordcount")
	if len(is) != 1 || is[0].Diagnosis.Cause != "pod-deleted-by-user" || is[0].Diagnosis.Confidence > 0.6 {
		t.Errorf("%s", brief(is, true))
	}
}

// TestForbiddenWithoutKubernetes holds that a JobManager is known by what it says, where no pod object tells.
func TestForbiddenWithoutKubernetes(t *testing.T) {
	s := newScene(t)
	for i := range s.m.pods {
		s.m.pods[i].Labels = nil
	}
	s.state(5, "CREATED", "RUNNING")
	s.say(20, sceneJM, "WARN", flinkPkg+"resourcemanager.active.ActiveResourceManager", "Failed requesting worker\nio.fabric8.kubernetes.client.KubernetesClientException: pods is forbidden: User \"system:serviceaccount:prod:wc\" cannot create resource \"pods\" in API group \"\" in the namespace \"prod\"")
	s.failed(65, flinkPkg+"jobmanager.scheduler.NoResourceAvailableException: Slot request bulk is not fulfillable! Could not allocate the required slot within slot request timeout")
	s.restart(65.1)
	s.want("rbac-forbidden")
}

// TestDeletedWithoutRestartsLeft holds that a job which somebody deletes, and which thereby uses up its last restart,
// did not fail: the events of the deletion have only seconds, but the processes say when they were told.
func TestDeletedWithoutRestartsLeft(t *testing.T) {
	for _, c := range []struct {
		told float64
		want bool
	}{{100.5, true}, {100.95, false}} {
		s := newScene(t)
		s.running()
		for _, p := range []string{sceneJM, sceneTM1, sceneTM2} {
			s.event(100, lastnight.EventKubernetes, "Pod/"+p, "Killing", "Stopping container main")
		}
		s.say(c.told, sceneTM2, "INFO", "x.TaskManagerRunner", "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.")
		s.failed(100.55, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
		s.state(100.66, "RUNNING", "FAILING")
		s.state(100.89, "FAILING", "FAILED")
		is := s.incidents("wordcount")
		if len(is) != 1 || is[0].Planned != c.want {
			t.Errorf("told at %v\n%s", c.told, brief(is, true))
		}
	}
}

// TestFailuresOfOthers holds what the libraries that jobs use say when the other side fails.
func TestFailuresOfOthers(t *testing.T) {
	frame := "\n\tat com.acme.jobs.Writer.invoke(Writer.java:31)\n\tat org.apache.flink.streaming.api.operators.StreamSink.processElement(StreamSink.java:52)"
	for text, want := range map[string]string{
		"java.net.SocketTimeoutException: Connect timed out":                                                                        "upstream-unavailable",
		"java.net.SocketTimeoutException: Read timed out":                                                                           "upstream-unavailable",
		"java.net.http.HttpConnectTimeoutException: HTTP connect timed out":                                                         "upstream-unavailable",
		"io.grpc.StatusRuntimeException: UNAVAILABLE: io exception":                                                                 "upstream-unavailable",
		"java.io.IOException: Server returned HTTP response: 503 Service Unavailable":                                               "upstream-unavailable",
		"redis.clients.jedis.exceptions.JedisConnectionException: Failed connecting to redis:6379":                                  "database-unavailable",
		"com.mongodb.MongoTimeoutException: Timed out while waiting for a server":                                                   "database-unavailable",
		"java.sql.SQLRecoverableException: IO Error: The Network Adapter could not establish the connection":                        "database-unavailable",
		"redis.clients.jedis.exceptions.JedisDataException: NOAUTH Authentication required.":                                        "upstream-auth-failed",
		"java.io.IOException: Server returned HTTP response: 403 Forbidden":                                                         "upstream-auth-failed",
		"org.postgresql.util.PSQLException: ERROR: value too long for type character varying(20)":                                   "sink-write-rejected",
		"org.apache.kafka.common.errors.NotLeaderOrFollowerException: For requests intended only for the leader":                    "kafka-broker-unavailable",
		"java.io.FileNotFoundException: /state/4f/chk-12/1b2c (No such file or directory)":                                          "savepoint-not-found",
		"java.io.FileNotFoundException: /state/4f/chk-12/1b2c (Permission denied)":                                                  "storage-permission-denied",
		"com.amazonaws.services.s3.model.AmazonS3Exception: The provided token has expired. (Status 400; Error Code: ExpiredToken)": "storage-permission-denied",
		"java.lang.NullPointerException: Cannot invoke \"String.length()\"":                                                         "user-code-exception",
	} {
		s := newScene(t)
		s.running()
		s.failed(100, text+frame)
		s.restart(100.1)
		s.want(want)
	}
}

// TestKubeletRestarted holds that a node which was not ready for seconds was not lost.
func TestKubeletRestarted(t *testing.T) {
	for _, c := range []struct {
		ready float64
		want  string
	}{{106, "pod-evicted-node-pressure"}, {400, "node-offline"}} {
		s := newScene(t)
		s.running()
		s.event(98, lastnight.EventKubernetes, "Node/node-3", "NodeNotReady", "Node node-3 status is now: NodeNotReady")
		s.event(c.ready, lastnight.EventNode, "Node/node-3", "NodeReady", "")
		s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM2, "Evicted", "The node was low on resource: ephemeral-storage.")
		s.event(100, lastnight.EventKubernetes, "Pod/"+sceneTM2, "Killing", "Stopping container main")
		s.failed(100.8, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
		s.restart(101)
		s.container(101, sceneTM2, "terminated", "Error", 143)
		s.want(c.want)
	}
}

// TestDoesNotComeBack holds that of a job which was killed and then cannot be restored, the latter is said.
func TestDoesNotComeBack(t *testing.T) {
	for _, c := range []struct {
		back bool
		want string
	}{{false, "savepoint-not-found"}, {true, "process-killed"}} {
		s := newScene(t)
		s.running()
		s.container(100, sceneTM2, "terminated", "Error", 137)
		s.failed(100.5, "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connection unexpectedly closed by remote task manager '10.1.0.3:1 [ "+sceneTM2+" ]'.")
		s.state(101, "RUNNING", "RESTARTING")
		s.state(106, "RESTARTING", "RUNNING")
		if !c.back {
			s.failed(106.5, "java.io.FileNotFoundException: /state/4f/chk-12/1b2c (No such file or directory)")
			s.state(106.6, "RUNNING", "FAILING")
			s.state(106.8, "FAILING", "FAILED")
		} else {
			s.checkpoint(120, 2)
		}
		s.want(c.want)
	}
}

// TestCrashWithoutLastWords holds that a crash is named although Flink stopped the worker in the same second, and
// nothing of its log is there.
func TestCrashWithoutLastWords(t *testing.T) {
	for _, c := range []struct {
		exit int
		want string
	}{{139, "native-crash"}, {143, "tm-lost"}} {
		s := newScene(t)
		s.running()
		s.event(100, lastnight.EventPod, "Pod/"+sceneTM2, "Deleted", "")
		s.container(100, sceneTM2, "terminated", "Error", c.exit)
		s.failed(100.5, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
		s.say(100.6, sceneJM, "INFO", flinkPkg+"resourcemanager.active.ActiveResourceManager", "Stopping worker "+sceneTM2+".")
		s.restart(100.8)
		s.want(c.want)
	}
}

// TestWorkerSaysGoodbye holds that a worker which told Flink that it shuts down was not stopped by Flink, whatever the
// clocks of their lines say: on a busy node a line may be late by more than what lay between.
func TestWorkerSaysGoodbye(t *testing.T) {
	for _, c := range []struct {
		bye  bool
		want string
	}{{true, "pod-deleted-by-user"}, {false, "tm-lost"}} {
		s := newScene(t)
		s.running()
		s.event(100, lastnight.EventPod, "Pod/"+sceneTM2, "Deleted", "")
		if c.bye {
			s.say(100.55, sceneJM, "INFO", flinkPkg+"resourcemanager.active.ActiveResourceManager", "Closing TaskExecutor connection "+sceneTM2+" because: The TaskExecutor is shutting down.")
		}
		s.say(100.56, sceneJM, "INFO", flinkPkg+"resourcemanager.active.ActiveResourceManager", "Stopping worker "+sceneTM2+".")
		s.say(100.6, sceneTM2, "INFO", "x.TaskManagerRunner", "RECEIVED SIGNAL 15: SIGTERM. Shutting down as requested.")
		s.failed(100.7, "org.apache.flink.util.FlinkExpectedException: The TaskExecutor is shutting down.")
		s.restart(100.8)
		s.want(c.want)
	}
}
