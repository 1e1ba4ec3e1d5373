import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;

/** Starts DynamoDB Local on the loopback interface only, until standard input ends. */
public class Launcher {
    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(arguments);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        for (Connector connector : ((Server) field.get(proxy)).getConnectors()) {
            connector.setHost("127.0.0.1");
        }
        proxy.start();
        while (System.in.read() >= 0) {
            // Nothing is said; only the end matters.
        }
        // The store keeps threads of its own, which would keep the process.
        Runtime.getRuntime().halt(0);
    }
}
