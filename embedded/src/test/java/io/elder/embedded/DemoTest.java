package io.elder.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.elder.estate.Company;
import io.elder.estate.Company.Place;
import io.elder.estate.Company.Workload;
import io.elder.estate.Estate;
import io.elder.runtime.Metrics;
import io.elder.runtime.Settings;
import io.elder.schemas.Topics;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** What a newcomer sees: the systems of a company that does not exist, through the whole pipeline. */
@Tag("long")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class DemoTest {
    private static final Map<Place, String> MACHINES = Map.of(
            Place.AWS, "aws/%/ec2_instance/%",
            Place.GCP, "gcp/%/gce_instance/%",
            Place.AZURE, "azure/%/azure_vm/%",
            Place.VCENTER, "vcenter/%/vcenter_vm/%",
            Place.LXD, "lxd/%/lxd_instance/%");

    private static final List<String> lines = new CopyOnWriteArrayList<>();

    private static Demo demo;
    private static Company company;
    private static Metrics metrics;
    private static Pipeline pipeline;
    private static Inventory inventory;

    @BeforeAll
    static void start(@TempDir Path folder) {
        demo = new Demo(Instant.now(), lines::add);
        company = demo.estate().company();
        Map<String, String> environment = new HashMap<>();
        // Nothing of the site's own may be read by a demo; of these settings only the interval is kept.
        environment.put("LDAP_SERVER", "ldap.corp.example");
        environment.put("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/real");
        environment.put("CONSOLE_PORT", "0");
        for (String provider : Topics.PROVIDERS) {
            boolean isReadAgain = provider.equals("ldap") || provider.equals("vcenter");
            environment.put(provider.toUpperCase(Locale.ROOT) + "_SYNC_INTERVAL", isReadAgain ? "2s" : "1h");
        }
        metrics = new Metrics();
        pipeline = new Pipeline(folder, Settings.of(demo.over(environment, false)), metrics);
        pipeline.start();
        inventory = new Inventory(pipeline.database());
    }

    @AfterAll
    static void stop() {
        if (pipeline != null) {
            pipeline.close();
        }
        metrics.close();
        demo.close();
    }

    @Test
    @Order(1)
    void everySystemIsReadWholeAndTheRowsAreTheCompanysTruth() throws SQLException {
        // A new provider needs no simulation.
        assertThat(demo.systems()).isEqualTo(12);
        await().atMost(Duration.ofMinutes(2)).until(() -> demo.show(inventory, true));
        assertThat(text("select string_agg(distinct provider || ': ' || status || ': ' || coalesce(error, ''), '; ')"
                        + " from pipeline.runs where visible_at is not null and status <> 'completed'"))
                .isNull();
        Company.State now = company.now();
        for (Place place : Place.values()) {
            assertThat(live("entities", MACHINES.get(place)))
                    .as("%s", place)
                    .isEqualTo(now.machines(place).size());
        }
        for (String users : List.of("ldap/%/ldap_user/%", "okta/%/okta_user/%", "iboss/%/iboss_user/%")) {
            assertThat(live("identities", users))
                    .as(users)
                    .isEqualTo(now.people().size());
        }
        assertThat(live("entities", "kubernetes/%/k8s_pod/%"))
                .isEqualTo(now.workloads().stream().mapToInt(Workload::replicas).sum());
        assertThat(live("entities", "fleetdm/%/fleetdm_host/%"))
                .isEqualTo(now.laptops().size());
    }

    @Test
    @Order(2)
    void whoComesAndGoesIsSeen() {
        int before = company.now().people().size();
        while (company.now().people().size() == before) {
            company.change(Instant.now());
        }
        await().atMost(Duration.ofSeconds(60))
                .until(() -> live("identities", "ldap/%/ldap_user/%")
                        == company.now().people().size());
    }

    @Test
    @Order(3)
    void theMachinesOfAPlaceThatIsLostAreHeldAndNoneIsDeleted() throws SQLException {
        long before = live("entities", MACHINES.get(Estate.LOST));
        company.lose(Estate.LOST);
        await().atMost(Duration.ofSeconds(60)).until(() -> {
            demo.show(inventory, true);
            return lines.stream().anyMatch(line -> line.contains("HELD") && line.contains("vcenter_vm"));
        });
        assertThat(live("entities", MACHINES.get(Estate.LOST))).isEqualTo(before);
        assertThat(lines).anyMatch(line -> line.contains("./elder held list"));
    }

    private static long live(String table, String keys) throws SQLException {
        // A link of a resource has its key too, and a # after it.
        return Long.parseLong(text("select count(*) from " + table + " where source_key like '" + keys
                + "' and source_key not like '%#%' and deleted_at is null"));
    }

    private static String text(String sql) throws SQLException {
        try (Connection connection = pipeline.database().connect("elder");
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            assertThat(row.next()).as(sql).isTrue();
            return row.getString(1);
        }
    }
}
