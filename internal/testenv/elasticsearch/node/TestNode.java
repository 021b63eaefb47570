import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.nativeaccess.NativeAccess;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;

/**
 * One Elasticsearch node on 127.0.0.1, for tests. Arguments: home, data directory, HTTP port, transport port.
 * It ends when its standard input does, so that no test, however it ended, leaves one behind.
 */
public final class TestNode {
    public static void main(String[] args) throws Exception {
        if (args.length != 4) {
            System.err.println("usage: TestNode HOME DATA HTTP_PORT TRANSPORT_PORT");
            System.exit(2);
        }
        Path home = Path.of(args[0]);
        Settings settings = Settings.builder()
            .put("path.home", home.toString())
            .put("path.data", args[1])
            .put("cluster.name", "lastnight-test")
            .put("node.name", "node-1")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[2])
            .put("transport.port", args[3])
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("action.destructive_requires_name", true)
            .put("node.processors", 2)
            .build();
        LogConfigurator.configureWithoutConfig(settings);
        NativeAccess.instance();
        Environment env = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), home.resolve("config"), () -> "node-1");
        Node node = new Node(env);
        node.start();
        while (System.in.read() >= 0) {
            // nothing is said to it
        }
        node.close();
        System.exit(0);
    }
}
