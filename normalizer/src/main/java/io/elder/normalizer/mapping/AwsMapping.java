package io.elder.normalizer.mapping;

import static io.elder.schemas.ElderTable.DATA_STORES;
import static io.elder.schemas.ElderTable.DEPENDENCIES;
import static io.elder.schemas.ElderTable.ENTITIES;
import static io.elder.schemas.ElderTable.IDENTITIES;
import static io.elder.schemas.ElderTable.IDENTITY_GROUPS;
import static io.elder.schemas.ElderTable.IDENTITY_GROUP_MEMBERSHIPS;
import static io.elder.schemas.ElderTable.NETWORKING_RESOURCES;
import static io.elder.schemas.ElderTable.NETWORK_ENTITY_MAPPINGS;
import static io.elder.schemas.ElderTable.ORGANIZATIONS;
import static io.elder.schemas.ElderTable.SERVICES;
import static java.util.Map.entry;

import io.elder.schemas.ElderTable;
import io.elder.schemas.ResourceKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Amazon Web Services. Fields are those of the API's own answers; {@code elder} holds where the fetcher was. */
public final class AwsMapping implements Mapping {
    private static final Map<String, Function<Raw, List<Output>>> KINDS = new TreeMap<>(Map.ofEntries(
            entry("aws_account", AwsMapping::account),
            entry("aws_region", AwsMapping::region),
            entry("classic_load_balancer", AwsMapping::classicLoadBalancer),
            entry("cloudfront_distribution", AwsMapping::distribution),
            entry("dynamodb_table", AwsMapping::dynamoTable),
            entry("ebs_volume", AwsMapping::volume),
            entry("ec2_instance", AwsMapping::instance),
            entry("ecs_cluster", AwsMapping::ecsCluster),
            entry("ecs_service", AwsMapping::ecsService),
            entry("eks_cluster", AwsMapping::eksCluster),
            entry("eks_node_group", AwsMapping::nodeGroup),
            entry("elastic_ip", AwsMapping::elasticIp),
            entry("elasticache_cluster", AwsMapping::cacheCluster),
            entry("elasticache_replication_group", AwsMapping::replicationGroup),
            entry("iam_group", AwsMapping::iamGroup),
            entry("iam_group_member", AwsMapping::iamGroupMember),
            entry("iam_role", AwsMapping::iamRole),
            entry("iam_user", AwsMapping::iamUser),
            entry("internet_gateway", AwsMapping::internetGateway),
            entry("lambda_function", AwsMapping::function),
            entry("load_balancer", AwsMapping::loadBalancer),
            entry("load_balancer_target", AwsMapping::target),
            entry("nat_gateway", AwsMapping::natGateway),
            entry("network_interface", AwsMapping::networkInterface),
            entry("rds_cluster", AwsMapping::dbCluster),
            entry("rds_instance", AwsMapping::dbInstance),
            entry("route53_zone", AwsMapping::zone),
            entry("route_table", AwsMapping::routeTable),
            entry("s3_bucket", AwsMapping::bucket),
            entry("security_group", AwsMapping::securityGroup),
            entry("sns_topic", AwsMapping::topic),
            entry("sqs_queue", AwsMapping::queue),
            entry("subnet", AwsMapping::subnet),
            entry("target_group", AwsMapping::targetGroup),
            entry("vpc", AwsMapping::vpc)));

    /** The row above all accounts; every account yields the same one. */
    private static final ResourceKey ROOT = new ResourceKey("aws", "*", "aws", "aws");

    private static final long GIB = 1L << 30;

    /** Origins of distributions that are buckets: {@code name.s3.eu-west-1.amazonaws.com} and older forms. */
    private static final Pattern BUCKET_ORIGIN = Pattern.compile("(.+)\\.s3[.-].*amazonaws\\.com(\\.cn)?");

    @Override
    public String provider() {
        return "aws";
    }

    @Override
    public Map<String, Function<Raw, List<Output>>> kinds() {
        return KINDS;
    }

    private static List<Output> account(Raw raw) {
        Output root = Output.row(ORGANIZATIONS, ROOT.toString())
                .set("name", "AWS")
                .set("type", "cloud")
                .set("cloud_provider", "aws")
                .set("is_active", true)
                .attribute("provider", "aws")
                .build();
        String name = raw.maybeText("Alias").or(() -> raw.maybeText("Name")).orElse(raw.text("Id"));
        Output account = Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", Output.within(255, "AWS Account: " + name))
                .set("type", "cloud_account")
                .set("cloud_provider", "aws")
                .set("cloud_account_id", raw.text("Id"))
                .set("is_active", true)
                .refer("parent", ROOT)
                .attribute("provider", "aws")
                .attribute("account_id", raw.text("Id"))
                .attribute("account_name", raw.maybeText("Name"))
                .attribute("account_alias", raw.maybeText("Alias"))
                .attribute("arn", raw.maybeText("Arn"))
                .attribute("email", raw.maybeText("Email"))
                .attribute("status", raw.maybeText("State").or(() -> raw.maybeText("Status")))
                .attribute("joined", raw.maybeText("JoinedTimestamp"))
                .build();
        return List.of(root, account);
    }

    private static List<Output> region(Raw raw) {
        return List.of(Output.row(ORGANIZATIONS, raw.key().toString())
                .set("name", "AWS " + raw.text("RegionName"))
                .set("type", "cloud_region")
                .set("cloud_provider", "aws")
                .set("cloud_account_id", raw.key().account())
                .set("region", raw.text("RegionName"))
                .set("is_active", true)
                .refer("parent", key(raw, "aws_account", raw.key().account()))
                .attribute("provider", "aws")
                .attribute("region", raw.text("RegionName"))
                .build());
    }

    private static List<Output> instance(Raw raw) {
        String state = raw.in("State").text("Name");
        switch (state) {
            case "pending", "running", "shutting-down", "stopping", "stopped" -> {}
            case "terminated" -> {
                // Shown for about an hour after its end: it is gone.
                return List.of();
            }
            default ->
                throw new UnmappedValue(
                        "State.Name", state, "pending, running, shutting-down, terminated, stopping or stopped");
        }
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, named(raw, raw.text("InstanceId")), "compute", "ec2_instance", state)
                .attribute("instance_id", raw.text("InstanceId"))
                .attribute("instance_type", raw.maybeText("InstanceType"))
                .attribute("state", state)
                .attribute("private_ip", raw.maybeText("PrivateIpAddress"))
                .attribute("public_ip", raw.maybeText("PublicIpAddress"))
                .attribute("private_dns_name", raw.maybeText("PrivateDnsName"))
                .attribute("public_dns_name", raw.maybeText("PublicDnsName"))
                .attribute("vpc_id", raw.maybeText("VpcId"))
                .attribute("subnet_id", raw.maybeText("SubnetId"))
                .attribute("availability_zone", raw.in("Placement").maybeText("AvailabilityZone"))
                .attribute("image_id", raw.maybeText("ImageId"))
                .attribute("architecture", raw.maybeText("Architecture"))
                .attribute("platform", raw.maybeText("PlatformDetails").or(() -> raw.maybeText("Platform")))
                .attribute("iam_instance_profile", raw.in("IamInstanceProfile").maybeText("Arn"))
                .attribute("launch_time", raw.maybeText("LaunchTime"))
                .tags("aws", "ec2", "compute", where(raw))
                .build());
        raw.maybeText("SubnetId").ifPresent(id -> rows.add(network(raw, "subnet", id, "attached")));
        raw.maybeText("VpcId").ifPresent(id -> rows.add(network(raw, "vpc", id, "connected_to")));
        ids(raw.objects("SecurityGroups"), "GroupId")
                .forEach(id -> rows.add(network(raw, "security_group", id, "secured_by")));
        ids(raw.objects("NetworkInterfaces"), "NetworkInterfaceId")
                .forEach(id -> rows.add(network(raw, "network_interface", id, "attached")));
        return rows;
    }

    private static List<Output> volume(Raw raw) {
        String state = raw.text("State");
        switch (state) {
            case "creating", "available", "in-use", "deleting", "error" -> {}
            case "deleted" -> {
                return List.of();
            }
            default ->
                throw new UnmappedValue("State", state, "creating, available, in-use, deleting, deleted or error");
        }
        List<Output> rows = new ArrayList<>();
        Output.Builder row = dataStore(raw, named(raw, raw.text("VolumeId")), "disk")
                .set("encryption_at_rest", raw.maybeYes("Encrypted"))
                .set("size_bytes", raw.maybeWhole("Size").map(gib -> gib * GIB))
                .attribute("volume_id", raw.text("VolumeId"))
                .attribute("size_gb", raw.maybeWhole("Size"))
                .attribute("volume_type", raw.maybeText("VolumeType"))
                .attribute("state", state)
                .attribute("iops", raw.maybeWhole("Iops"))
                .attribute("throughput", raw.maybeWhole("Throughput"))
                .attribute("encrypted", raw.maybeYes("Encrypted"))
                .attribute("kms_key_id", raw.maybeText("KmsKeyId"))
                .attribute("snapshot_id", raw.maybeText("SnapshotId"))
                .attribute("availability_zone", raw.maybeText("AvailabilityZone"))
                .attribute("created", raw.maybeText("CreateTime"))
                .tags("aws", "ebs", "disk", where(raw));
        rows.add(row.build());
        for (Raw attachment : raw.objects("Attachments")) {
            if (!attachment.maybeText("State").orElse("attached").equals("detached")) {
                attachment
                        .maybeText("InstanceId")
                        .ifPresent(id -> rows.add(
                                dependency(raw, DATA_STORES, "attached_to", ENTITIES, key(raw, "ec2_instance", id))));
            }
        }
        return rows;
    }

    private static List<Output> vpc(Raw raw) {
        return List.of(networking(raw, named(raw, raw.text("VpcId")), "other")
                .set("is_active", isAvailable(raw.text("State"), "State"))
                .attribute("vpc_id", raw.text("VpcId"))
                .attribute("cidr_block", raw.maybeText("CidrBlock"))
                .attribute("cidr_blocks", ids(raw.objects("CidrBlockAssociationSet"), "CidrBlock"))
                .attribute("state", raw.text("State"))
                .attribute("is_default", raw.maybeYes("IsDefault"))
                .attribute("owner_id", raw.maybeText("OwnerId"))
                .tags("aws", "vpc", where(raw))
                .build());
    }

    private static List<Output> subnet(Raw raw) {
        return List.of(networking(raw, named(raw, raw.text("SubnetId")), "subnet")
                .set("is_active", isAvailable(raw.text("State"), "State"))
                .set("location", raw.maybeText("AvailabilityZone"))
                .refer("parent", key(raw, "vpc", raw.text("VpcId")))
                .attribute("subnet_id", raw.text("SubnetId"))
                .attribute("vpc_id", raw.text("VpcId"))
                .attribute("cidr_block", raw.maybeText("CidrBlock"))
                .attribute("state", raw.text("State"))
                .attribute("availability_zone", raw.maybeText("AvailabilityZone"))
                .attribute("available_ip_addresses", raw.maybeWhole("AvailableIpAddressCount"))
                .attribute("available_ips", raw.maybeWhole("AvailableIpAddressCount"))
                .attribute("is_public", raw.maybeYes("MapPublicIpOnLaunch"))
                .attribute("owner_id", raw.maybeText("OwnerId"))
                .tags("aws", "subnet", where(raw))
                .build());
    }

    private static List<Output> securityGroup(Raw raw) {
        Output.Builder row = networking(
                        raw, nameTag(raw).or(() -> raw.maybeText("GroupName")).orElse(raw.text("GroupId")), "firewall")
                .set("description", raw.maybeText("Description"))
                .attribute("group_id", raw.text("GroupId"))
                .attribute("group_name", raw.maybeText("GroupName"))
                .attribute("vpc_id", raw.maybeText("VpcId"))
                .attribute("inbound_rules", raw.objects("IpPermissions").size())
                .attribute("outbound_rules", raw.objects("IpPermissionsEgress").size())
                .attribute(
                        "is_open_to_the_world",
                        raw.objects("IpPermissions").stream()
                                .anyMatch(rule ->
                                        ids(rule.objects("IpRanges"), "CidrIp").contains("0.0.0.0/0")
                                                || ids(rule.objects("Ipv6Ranges"), "CidrIpv6")
                                                        .contains("::/0")))
                .tags("aws", "security-group", where(raw));
        raw.maybeText("VpcId").ifPresent(id -> row.refer("parent", key(raw, "vpc", id)));
        return List.of(row.build());
    }

    private static List<Output> routeTable(Raw raw) {
        List<Output> rows = new ArrayList<>();
        List<Raw> associations = raw.objects("Associations");
        rows.add(networking(raw, named(raw, raw.text("RouteTableId")), "route_table")
                .refer("parent", key(raw, "vpc", raw.text("VpcId")))
                .attribute("route_table_id", raw.text("RouteTableId"))
                .attribute("vpc_id", raw.text("VpcId"))
                .attribute("routes", raw.objects("Routes").size())
                .attribute("is_main", associations.stream().anyMatch(each -> each.maybeYes("Main")
                        .orElse(false)))
                .tags("aws", "route-table", where(raw))
                .build());
        ids(associations, "SubnetId")
                .forEach(id -> rows.add(Output.row(DEPENDENCIES, raw.key().row("used_by:" + key(raw, "subnet", id)))
                        .set("source_type", NETWORKING_RESOURCES.noun())
                        .set("target_type", NETWORKING_RESOURCES.noun())
                        .set("dependency_type", "uses")
                        .refer("source", key(raw, "subnet", id))
                        .refer("target", raw.key())
                        .build()));
        ids(raw.objects("Routes"), "GatewayId").stream()
                .filter(id -> id.startsWith("igw-"))
                .forEach(id -> rows.add(toNetwork(raw, "routes_to", "internet_gateway", id)));
        ids(raw.objects("Routes"), "NatGatewayId")
                .forEach(id -> rows.add(toNetwork(raw, "routes_to", "nat_gateway", id)));
        return rows;
    }

    private static List<Output> natGateway(Raw raw) {
        String state = raw.text("State");
        boolean isActive =
                switch (state) {
                    case "pending", "available" -> true;
                    case "failed", "deleting", "deleted" -> false;
                    default ->
                        throw new UnmappedValue("State", state, "pending, failed, available, deleting or deleted");
                };
        if (state.equals("deleted")) {
            return List.of();
        }
        List<Raw> addresses = raw.objects("NatGatewayAddresses");
        List<Output> rows = new ArrayList<>();
        Output.Builder row = networking(raw, named(raw, raw.text("NatGatewayId")), "router")
                .set("is_active", isActive)
                .attribute("nat_gateway_id", raw.text("NatGatewayId"))
                .attribute("vpc_id", raw.maybeText("VpcId"))
                .attribute("subnet_id", raw.maybeText("SubnetId"))
                .attribute("state", state)
                .attribute("connectivity_type", raw.maybeText("ConnectivityType"))
                .attribute("public_ips", ids(addresses, "PublicIp"))
                .tags("aws", "nat-gateway", where(raw));
        raw.maybeText("SubnetId").ifPresent(id -> row.refer("parent", key(raw, "subnet", id)));
        rows.add(row.build());
        ids(addresses, "AllocationId").forEach(id -> rows.add(toNetwork(raw, "uses", "elastic_ip", id)));
        return rows;
    }

    private static List<Output> internetGateway(Raw raw) {
        List<String> vpcs = ids(raw.objects("Attachments"), "VpcId");
        Output.Builder row = networking(raw, named(raw, raw.text("InternetGatewayId")), "router")
                .attribute("internet_gateway_id", raw.text("InternetGatewayId"))
                .attribute("vpc_id", vpcs.stream().findFirst())
                .tags("aws", "internet-gateway", where(raw));
        vpcs.stream().findFirst().ifPresent(id -> row.refer("parent", key(raw, "vpc", id)));
        return List.of(row.build());
    }

    private static List<Output> networkInterface(Raw raw) {
        List<Output> rows = new ArrayList<>();
        Output.Builder row = networking(raw, named(raw, raw.text("NetworkInterfaceId")), "other")
                .set("description", raw.maybeText("Description"))
                .set("location", raw.maybeText("AvailabilityZone"))
                .attribute("network_interface_id", raw.text("NetworkInterfaceId"))
                .attribute("interface_type", raw.maybeText("InterfaceType"))
                .attribute("status", raw.maybeText("Status"))
                .attribute("private_ip", raw.maybeText("PrivateIpAddress"))
                .attribute("public_ip", raw.in("Association").maybeText("PublicIp"))
                .attribute("mac_address", raw.maybeText("MacAddress"))
                .attribute("vpc_id", raw.maybeText("VpcId"))
                .attribute("subnet_id", raw.maybeText("SubnetId"))
                .attribute("instance_id", raw.in("Attachment").maybeText("InstanceId"))
                .tags("aws", "network-interface", where(raw));
        raw.maybeText("SubnetId").ifPresent(id -> row.refer("parent", key(raw, "subnet", id)));
        rows.add(row.build());
        ids(raw.objects("Groups"), "GroupId")
                .forEach(id -> rows.add(toNetwork(raw, "secured_by", "security_group", id)));
        return rows;
    }

    private static List<Output> elasticIp(Raw raw) {
        List<Output> rows = new ArrayList<>();
        rows.add(networking(raw, nameTag(raw).orElse(raw.text("PublicIp")), "other")
                .attribute("allocation_id", raw.maybeText("AllocationId"))
                .attribute("public_ip", raw.text("PublicIp"))
                .attribute("private_ip", raw.maybeText("PrivateIpAddress"))
                .attribute("instance_id", raw.maybeText("InstanceId"))
                .attribute("network_interface_id", raw.maybeText("NetworkInterfaceId"))
                .tags("aws", "elastic-ip", where(raw))
                .build());
        raw.maybeText("InstanceId")
                .ifPresent(id -> rows.add(mapping(raw, raw.key(), key(raw, "ec2_instance", id), "attached")));
        raw.maybeText("NetworkInterfaceId")
                .ifPresent(id -> rows.add(toNetwork(raw, "attached_to", "network_interface", id)));
        return rows;
    }

    private static List<Output> loadBalancer(Raw raw) {
        String state = raw.in("State").text("Code");
        boolean isActive =
                switch (state) {
                    case "active", "active_impaired", "provisioning" -> true;
                    case "failed" -> false;
                    default ->
                        throw new UnmappedValue("State.Code", state, "active, provisioning, active_impaired or failed");
                };
        List<Output> rows = new ArrayList<>();
        Output.Builder row = networking(raw, raw.text("LoadBalancerName"), "load_balancer")
                .set("is_active", isActive)
                .attribute("load_balancer_arn", raw.text("LoadBalancerArn"))
                .attribute("type", raw.maybeText("Type"))
                .attribute("lb_type", raw.maybeText("Type"))
                .attribute("scheme", raw.maybeText("Scheme"))
                .attribute("vpc_id", raw.maybeText("VpcId"))
                .attribute("state", state)
                .attribute("dns_name", raw.maybeText("DNSName"))
                .attribute("created", raw.maybeText("CreatedTime"))
                .tags("aws", "load-balancer", where(raw));
        raw.maybeText("VpcId").ifPresent(id -> row.refer("parent", key(raw, "vpc", id)));
        rows.add(row.build());
        ids(raw.objects("AvailabilityZones"), "SubnetId")
                .forEach(id -> rows.add(toNetwork(raw, "attached_to", "subnet", id)));
        raw.texts("SecurityGroups").forEach(id -> rows.add(toNetwork(raw, "secured_by", "security_group", id)));
        return rows;
    }

    private static List<Output> classicLoadBalancer(Raw raw) {
        List<Output> rows = new ArrayList<>();
        Output.Builder row = networking(raw, raw.text("LoadBalancerName"), "load_balancer")
                .attribute("type", "classic")
                .attribute("lb_type", "classic")
                .attribute("scheme", raw.maybeText("Scheme"))
                .attribute("vpc_id", raw.maybeText("VPCId"))
                .attribute("dns_name", raw.maybeText("DNSName"))
                .attribute("created", raw.maybeText("CreatedTime"))
                .tags("aws", "load-balancer", where(raw));
        raw.maybeText("VPCId").ifPresent(id -> row.refer("parent", key(raw, "vpc", id)));
        rows.add(row.build());
        ids(raw.objects("Instances"), "InstanceId")
                .forEach(id -> rows.add(mapping(raw, raw.key(), key(raw, "ec2_instance", id), "routed_through")));
        raw.texts("Subnets").forEach(id -> rows.add(toNetwork(raw, "attached_to", "subnet", id)));
        raw.texts("SecurityGroups").forEach(id -> rows.add(toNetwork(raw, "secured_by", "security_group", id)));
        return rows;
    }

    private static List<Output> targetGroup(Raw raw) {
        List<Output> rows = new ArrayList<>();
        Output.Builder row = networking(raw, raw.text("TargetGroupName"), "other")
                .attribute("target_group_arn", raw.text("TargetGroupArn"))
                .attribute("target_type", raw.maybeText("TargetType"))
                .attribute("protocol", raw.maybeText("Protocol"))
                .attribute("port", raw.maybeWhole("Port"))
                .attribute("vpc_id", raw.maybeText("VpcId"))
                .tags("aws", "target-group", where(raw));
        raw.maybeText("VpcId").ifPresent(id -> row.refer("parent", key(raw, "vpc", id)));
        rows.add(row.build());
        for (String arn : raw.texts("LoadBalancerArns")) {
            ResourceKey loadBalancer = key(raw, "load_balancer", arn);
            rows.add(Output.row(DEPENDENCIES, raw.key().row("routes_from:" + loadBalancer))
                    .set("source_type", NETWORKING_RESOURCES.noun())
                    .set("target_type", NETWORKING_RESOURCES.noun())
                    .set("dependency_type", "routes_to")
                    .refer("source", loadBalancer)
                    .refer("target", raw.key())
                    .build());
        }
        return rows;
    }

    /** From every balancer of the group to the target; of an address nobody knows whose it is. */
    private static List<Output> target(Raw raw) {
        String id = raw.in("Target").text("Id");
        String type = raw.text("TargetType");
        List<Output> rows = new ArrayList<>();
        for (String arn : raw.texts("LoadBalancerArns")) {
            ResourceKey balancer = key(raw, "load_balancer", arn);
            switch (type) {
                case "instance" -> rows.add(mapping(raw, balancer, key(raw, "ec2_instance", id), "routed_through"));
                case "lambda" ->
                    rows.add(link(
                            raw,
                            balancer,
                            NETWORKING_RESOURCES,
                            "routes_to",
                            SERVICES,
                            key(raw, "lambda_function", id)));
                case "alb" ->
                    rows.add(link(
                            raw,
                            balancer,
                            NETWORKING_RESOURCES,
                            "routes_to",
                            NETWORKING_RESOURCES,
                            key(raw, "load_balancer", id)));
                case "ip" -> {}
                default -> throw new UnmappedValue("TargetType", type, "instance, ip, lambda or alb");
            }
        }
        return rows;
    }

    private static List<Output> dbInstance(Raw raw) {
        Raw endpoint = raw.in("Endpoint");
        Raw subnets = raw.in("DBSubnetGroup");
        boolean isAurora = raw.text("Engine").startsWith("aurora");
        List<Output> rows = new ArrayList<>();
        rows.add(dataStore(raw, raw.text("DBInstanceIdentifier"), "database")
                .set("encryption_at_rest", raw.maybeYes("StorageEncrypted"))
                .set("size_bytes", raw.maybeWhole("AllocatedStorage").map(gib -> gib * GIB))
                .attribute("instance_id", raw.text("DBInstanceIdentifier"))
                .attribute("arn", raw.text("DBInstanceArn"))
                .attribute("engine", raw.text("Engine"))
                .attribute("engine_version", raw.maybeText("EngineVersion"))
                .attribute("instance_class", raw.maybeText("DBInstanceClass"))
                .attribute("storage_type", raw.maybeText("StorageType"))
                .attribute("allocated_storage", raw.maybeWhole("AllocatedStorage"))
                .attribute("allocated_storage_gb", raw.maybeWhole("AllocatedStorage"))
                .attribute("status", raw.maybeText("DBInstanceStatus"))
                .attribute("endpoint", endpoint.maybeText("Address"))
                .attribute("port", endpoint.maybeWhole("Port"))
                .attribute("multi_az", raw.maybeYes("MultiAZ"))
                .attribute("availability_zone", raw.maybeText("AvailabilityZone"))
                .attribute("storage_encrypted", raw.maybeYes("StorageEncrypted"))
                .attribute("is_public", raw.maybeYes("PubliclyAccessible"))
                .attribute("vpc_id", subnets.maybeText("VpcId"))
                .attribute("is_aurora", isAurora)
                .attribute("cluster_id", raw.maybeText("DBClusterIdentifier"))
                .attribute("created_time", raw.maybeText("InstanceCreateTime"))
                .attribute("service", "rds")
                .tags("aws", "rds", "database", raw.text("Engine"), where(raw))
                .build());
        subnets.maybeText("VpcId")
                .ifPresent(id ->
                        rows.add(dependency(raw, DATA_STORES, "part_of", NETWORKING_RESOURCES, key(raw, "vpc", id))));
        ids(raw.objects("VpcSecurityGroups"), "VpcSecurityGroupId")
                .forEach(id -> rows.add(dependency(
                        raw, DATA_STORES, "secured_by", NETWORKING_RESOURCES, key(raw, "security_group", id))));
        raw.maybeText("DBClusterIdentifier")
                .ifPresent(id -> rows.add(dependency(
                        raw,
                        DATA_STORES,
                        "part_of",
                        DATA_STORES,
                        key(raw, "rds_cluster", arn(raw, "rds", "cluster:" + id)))));
        return rows;
    }

    private static List<Output> dbCluster(Raw raw) {
        List<Output> rows = new ArrayList<>();
        rows.add(dataStore(raw, raw.text("DBClusterIdentifier"), "database")
                .set("encryption_at_rest", raw.maybeYes("StorageEncrypted"))
                .attribute("cluster_id", raw.text("DBClusterIdentifier"))
                .attribute("arn", raw.text("DBClusterArn"))
                .attribute("engine", raw.text("Engine"))
                .attribute("engine_version", raw.maybeText("EngineVersion"))
                .attribute("engine_mode", raw.maybeText("EngineMode"))
                .attribute("status", raw.maybeText("Status"))
                .attribute("endpoint", raw.maybeText("Endpoint"))
                .attribute("reader_endpoint", raw.maybeText("ReaderEndpoint"))
                .attribute("port", raw.maybeWhole("Port"))
                .attribute("multi_az", raw.maybeYes("MultiAZ"))
                .attribute("storage_encrypted", raw.maybeYes("StorageEncrypted"))
                .attribute("is_aurora", raw.text("Engine").startsWith("aurora"))
                .attribute("members", ids(raw.objects("DBClusterMembers"), "DBInstanceIdentifier"))
                .attribute("created_time", raw.maybeText("ClusterCreateTime"))
                .attribute("service", "rds")
                .tags("aws", "rds", "database", raw.text("Engine"), where(raw))
                .build());
        ids(raw.objects("VpcSecurityGroups"), "VpcSecurityGroupId")
                .forEach(id -> rows.add(dependency(
                        raw, DATA_STORES, "secured_by", NETWORKING_RESOURCES, key(raw, "security_group", id))));
        return rows;
    }

    private static List<Output> dynamoTable(Raw raw) {
        String status = raw.text("TableStatus");
        return List.of(dataStore(raw, raw.text("TableName"), "database")
                .set("size_bytes", raw.maybeWhole("TableSizeBytes"))
                .attribute("arn", raw.text("TableArn"))
                .attribute("table_name", raw.text("TableName"))
                .attribute("status", status)
                .attribute("billing_mode", raw.in("BillingModeSummary").maybeText("BillingMode"))
                .attribute("item_count", raw.maybeWhole("ItemCount"))
                .attribute("created", raw.maybeText("CreationDateTime"))
                .attribute("engine", "dynamodb")
                .attribute("service", "dynamodb")
                .tags("aws", "dynamodb", "database", where(raw))
                .build());
    }

    private static List<Output> bucket(Raw raw) {
        Raw block = raw.in("PublicAccessBlockConfiguration");
        boolean isBlocked = block.maybeYes("BlockPublicAcls").orElse(false)
                && block.maybeYes("IgnorePublicAcls").orElse(false)
                && block.maybeYes("BlockPublicPolicy").orElse(false)
                && block.maybeYes("RestrictPublicBuckets").orElse(false);
        Optional<Raw> encryption = raw.in("ServerSideEncryptionConfiguration").objects("Rules").stream()
                .findFirst()
                .map(rule -> rule.in("ApplyServerSideEncryptionByDefault"));
        List<String> forbidden = raw.in("elder").texts("forbidden");
        Output.Builder row = dataStore(raw, raw.text("Name"), "s3")
                .set("location_region", raw.text("BucketRegion"))
                .set("access_control_type", isBlocked ? "private" : "iam")
                .attribute("bucket_name", raw.text("Name"))
                .attribute("region", raw.text("BucketRegion"))
                .attribute("creation_date", raw.maybeText("CreationDate"))
                .attribute("encryption", encryption.flatMap(each -> each.maybeText("SSEAlgorithm")))
                .attribute("kms_key_id", encryption.flatMap(each -> each.maybeText("KMSMasterKeyID")))
                .attribute("not_readable", forbidden)
                .attribute("service", "s3")
                .tags("aws", "s3", "storage", raw.text("BucketRegion"));
        // What may not be seen is unknown, not absent.
        if (!forbidden.contains("ServerSideEncryptionConfiguration")) {
            row.set("encryption_at_rest", encryption.isPresent());
        }
        if (!forbidden.contains("PublicAccessBlockConfiguration")) {
            row.attribute("public_access_blocked", isBlocked);
        }
        return List.of(row.build());
    }

    private static List<Output> function(Raw raw) {
        // A list often leaves the state out; then there is nothing to say against the function.
        String state = raw.maybeText("State").orElse("Active");
        String status =
                switch (state) {
                    case "Active", "Pending" -> "active";
                    case "Inactive", "Failed", "Deactivating", "Deactivated", "ActiveNonInvocable", "Deleting" ->
                        "inactive";
                    default -> throw new UnmappedValue("State", state, "Pending, Active, Inactive or Failed");
                };
        Raw vpc = raw.in("VpcConfig");
        Optional<String> role = raw.maybeText("Role");
        List<Output> rows = new ArrayList<>();
        rows.add(located(raw, Output.row(SERVICES, raw.key().toString()))
                .set("name", Output.within(255, raw.text("FunctionName")))
                .set("deployment_method", "serverless")
                .set("status", status)
                .set("description", raw.maybeText("Description"))
                .set("language", raw.maybeText("Runtime").map(text -> Output.within(50, text)))
                .refer("organization", organization(raw))
                .attribute("function_arn", raw.text("FunctionArn"))
                .attribute("function_name", raw.text("FunctionName"))
                .attribute("runtime", raw.maybeText("Runtime"))
                .attribute("handler", raw.maybeText("Handler"))
                .attribute("memory_size_mb", raw.maybeWhole("MemorySize"))
                .attribute("memory_mb", raw.maybeWhole("MemorySize"))
                .attribute("timeout_seconds", raw.maybeWhole("Timeout"))
                .attribute("code_size_bytes", raw.maybeWhole("CodeSize"))
                .attribute("last_modified", raw.maybeText("LastModified"))
                .attribute("role_arn", role)
                .attribute("architectures", raw.texts("Architectures"))
                .attribute("package_type", raw.maybeText("PackageType"))
                .attribute("vpc_id", vpc.maybeText("VpcId"))
                .attribute("environment_variable_keys", raw.in("Environment").texts("VariableNames"))
                .attribute("layers", ids(raw.objects("Layers"), "Arn"))
                .attribute("ephemeral_storage_mb", raw.in("EphemeralStorage").maybeWhole("Size"))
                .attribute("service", "lambda")
                .tags("aws", "lambda", "serverless", where(raw))
                .build());
        role.ifPresent(arn -> rows.add(dependency(raw, SERVICES, "uses", IDENTITIES, key(raw, "iam_role", arn))));
        vpc.maybeText("VpcId")
                .ifPresent(id ->
                        rows.add(dependency(raw, SERVICES, "attached_to", NETWORKING_RESOURCES, key(raw, "vpc", id))));
        vpc.texts("SubnetIds")
                .forEach(id -> rows.add(
                        dependency(raw, SERVICES, "attached_to", NETWORKING_RESOURCES, key(raw, "subnet", id))));
        vpc.texts("SecurityGroupIds")
                .forEach(id -> rows.add(
                        dependency(raw, SERVICES, "secured_by", NETWORKING_RESOURCES, key(raw, "security_group", id))));
        return rows;
    }

    private static List<Output> cacheCluster(Raw raw) {
        String status = raw.text("CacheClusterStatus");
        switch (status) {
            case "available",
                    "creating",
                    "deleting",
                    "incompatible-network",
                    "modifying",
                    "rebooting cluster nodes",
                    "restore-failed",
                    "snapshotting" -> {}
            case "deleted" -> {
                return List.of();
            }
            default -> throw new UnmappedValue("CacheClusterStatus", status, "a status of a cache cluster");
        }
        Raw endpoint = raw.objects("CacheNodes").stream()
                .findFirst()
                .map(node -> node.in("Endpoint"))
                .orElseGet(() -> raw.in("ConfigurationEndpoint"));
        Output.Builder row = entity(raw, raw.text("CacheClusterId"), "storage", "caching", status)
                .attribute("cluster_id", raw.text("CacheClusterId"))
                .attribute("arn", raw.text("ARN"))
                .attribute("engine", raw.maybeText("Engine"))
                .attribute("engine_version", raw.maybeText("EngineVersion"))
                .attribute("node_type", raw.maybeText("CacheNodeType"))
                .attribute("num_cache_nodes", raw.maybeWhole("NumCacheNodes"))
                .attribute("status", status)
                .attribute("endpoint", endpoint.maybeText("Address"))
                .attribute("port", endpoint.maybeWhole("Port"))
                .attribute("availability_zone", raw.maybeText("PreferredAvailabilityZone"))
                .attribute("subnet_group", raw.maybeText("CacheSubnetGroupName"))
                .attribute("replication_group_id", raw.maybeText("ReplicationGroupId"))
                .attribute("created_time", raw.maybeText("CacheClusterCreateTime"))
                .attribute("service", "elasticache")
                .tags("aws", "elasticache", "cache", raw.maybeText("Engine").orElse("cache"), where(raw));
        raw.maybeText("ReplicationGroupId")
                .ifPresent(id -> row.refer(
                        "parent",
                        key(raw, "elasticache_replication_group", arn(raw, "elasticache", "replicationgroup:" + id))));
        List<Output> rows = new ArrayList<>();
        rows.add(row.build());
        ids(raw.objects("SecurityGroups"), "SecurityGroupId")
                .forEach(id -> rows.add(network(raw, "security_group", id, "secured_by")));
        return rows;
    }

    private static List<Output> replicationGroup(Raw raw) {
        String status = raw.text("Status");
        switch (status) {
            case "creating", "available", "modifying", "deleting", "create-failed", "snapshotting" -> {}
            default ->
                throw new UnmappedValue(
                        "Status", status, "creating, available, modifying, deleting, create-failed or snapshotting");
        }
        Optional<Raw> endpoint =
                raw.objects("NodeGroups").stream().findFirst().map(group -> group.in("PrimaryEndpoint"));
        return List.of(entity(raw, raw.text("ReplicationGroupId"), "storage", "caching", status)
                .attribute("replication_group_id", raw.text("ReplicationGroupId"))
                .attribute("arn", raw.text("ARN"))
                .attribute("description", raw.maybeText("Description"))
                .attribute("engine", raw.maybeText("Engine"))
                .attribute("node_type", raw.maybeText("CacheNodeType"))
                .attribute("status", status)
                .attribute("members", raw.texts("MemberClusters"))
                .attribute("endpoint", endpoint.flatMap(each -> each.maybeText("Address")))
                .attribute("port", endpoint.flatMap(each -> each.maybeWhole("Port")))
                .attribute("automatic_failover", raw.maybeText("AutomaticFailover"))
                .attribute("multi_az", raw.maybeText("MultiAZ"))
                .attribute("at_rest_encryption", raw.maybeYes("AtRestEncryptionEnabled"))
                .attribute("transit_encryption", raw.maybeYes("TransitEncryptionEnabled"))
                .attribute("service", "elasticache")
                .tags("aws", "elasticache", "cache", where(raw))
                .build());
    }

    private static List<Output> ecsCluster(Raw raw) {
        String status = raw.text("status");
        switch (status) {
            case "ACTIVE", "PROVISIONING", "DEPROVISIONING", "FAILED" -> {}
            case "INACTIVE" -> {
                return List.of();
            }
            default ->
                throw new UnmappedValue("status", status, "ACTIVE, PROVISIONING, DEPROVISIONING, FAILED or INACTIVE");
        }
        return List.of(entity(raw, raw.text("clusterName"), "compute", "ecs_cluster", lower(status))
                .attribute("arn", raw.text("clusterArn"))
                .attribute("cluster_name", raw.text("clusterName"))
                .attribute("status", lower(status))
                .attribute("container_instances", raw.maybeWhole("registeredContainerInstancesCount"))
                .attribute("active_services", raw.maybeWhole("activeServicesCount"))
                .attribute("capacity_providers", raw.texts("capacityProviders"))
                .attribute("service", "ecs")
                .tags("aws", "ecs", "cluster", where(raw))
                .build());
    }

    private static List<Output> ecsService(Raw raw) {
        String status = raw.text("status");
        switch (status) {
            case "ACTIVE", "DRAINING" -> {}
            case "INACTIVE" -> {
                return List.of();
            }
            default -> throw new UnmappedValue("status", status, "ACTIVE, DRAINING or INACTIVE");
        }
        Raw network = raw.in("networkConfiguration").in("awsvpcConfiguration");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, raw.text("serviceName"), "compute", "ecs_service", lower(status))
                .refer("parent", key(raw, "ecs_cluster", raw.text("clusterArn")))
                .attribute("arn", raw.text("serviceArn"))
                .attribute("service_name", raw.text("serviceName"))
                .attribute("cluster_arn", raw.text("clusterArn"))
                .attribute("status", lower(status))
                .attribute("launch_type", raw.maybeText("launchType"))
                .attribute("task_definition", raw.maybeText("taskDefinition"))
                .attribute("desired_count", raw.maybeWhole("desiredCount"))
                .attribute("scheduling_strategy", raw.maybeText("schedulingStrategy"))
                .attribute("created", raw.maybeText("createdAt"))
                .attribute("service", "ecs")
                .tags("aws", "ecs", "service", where(raw))
                .build());
        network.texts("subnets").forEach(id -> rows.add(network(raw, "subnet", id, "attached")));
        network.texts("securityGroups").forEach(id -> rows.add(network(raw, "security_group", id, "secured_by")));
        ids(raw.objects("loadBalancers"), "targetGroupArn")
                .forEach(arn -> rows.add(network(raw, "target_group", arn, "routed_through")));
        raw.maybeText("roleArn")
                .ifPresent(arn -> rows.add(dependency(raw, ENTITIES, "uses", IDENTITIES, key(raw, "iam_role", arn))));
        return rows;
    }

    private static List<Output> eksCluster(Raw raw) {
        String status = raw.text("status");
        switch (status) {
            case "CREATING", "ACTIVE", "DELETING", "FAILED", "UPDATING", "PENDING" -> {}
            default ->
                throw new UnmappedValue("status", status, "CREATING, ACTIVE, DELETING, FAILED, UPDATING or PENDING");
        }
        Raw vpc = raw.in("resourcesVpcConfig");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, raw.text("name"), "compute", "kubernetes_cluster", lower(status))
                .attribute("arn", raw.text("arn"))
                .attribute("cluster_name", raw.text("name"))
                .attribute("version", raw.maybeText("version"))
                .attribute("status", lower(status))
                .attribute("endpoint", raw.maybeText("endpoint"))
                .attribute("platform_version", raw.maybeText("platformVersion"))
                .attribute("vpc_id", vpc.maybeText("vpcId"))
                .attribute("is_public", vpc.maybeYes("endpointPublicAccess"))
                .attribute("role_arn", raw.maybeText("roleArn"))
                .attribute("created", raw.maybeText("createdAt"))
                .attribute("service", "eks")
                .tags("aws", "eks", "kubernetes", where(raw))
                .build());
        vpc.maybeText("vpcId").ifPresent(id -> rows.add(network(raw, "vpc", id, "connected_to")));
        vpc.texts("subnetIds").forEach(id -> rows.add(network(raw, "subnet", id, "attached")));
        List<String> groups = new ArrayList<>(vpc.texts("securityGroupIds"));
        vpc.maybeText("clusterSecurityGroupId").ifPresent(groups::add);
        groups.stream().distinct().forEach(id -> rows.add(network(raw, "security_group", id, "secured_by")));
        raw.maybeText("roleArn")
                .ifPresent(arn -> rows.add(dependency(raw, ENTITIES, "uses", IDENTITIES, key(raw, "iam_role", arn))));
        return rows;
    }

    private static List<Output> nodeGroup(Raw raw) {
        String status = raw.text("status");
        switch (status) {
            case "CREATING", "ACTIVE", "UPDATING", "DELETING", "CREATE_FAILED", "DELETE_FAILED", "DEGRADED" -> {}
            default ->
                throw new UnmappedValue(
                        "status",
                        status,
                        "CREATING, ACTIVE, UPDATING, DELETING, CREATE_FAILED, DELETE_FAILED or DEGRADED");
        }
        Raw scaling = raw.in("scalingConfig");
        List<Output> rows = new ArrayList<>();
        rows.add(entity(raw, raw.text("nodegroupName"), "compute", "eks_node_group", lower(status))
                .refer("parent", key(raw, "eks_cluster", raw.text("clusterArn")))
                .attribute("arn", raw.text("nodegroupArn"))
                .attribute("cluster_name", raw.maybeText("clusterName"))
                .attribute("status", lower(status))
                .attribute("version", raw.maybeText("version"))
                .attribute("capacity_type", raw.maybeText("capacityType"))
                .attribute("instance_types", raw.texts("instanceTypes"))
                .attribute("min_size", scaling.maybeWhole("minSize"))
                .attribute("max_size", scaling.maybeWhole("maxSize"))
                .attribute("desired_size", scaling.maybeWhole("desiredSize"))
                .attribute("role_arn", raw.maybeText("nodeRole"))
                .attribute("service", "eks")
                .tags("aws", "eks", "node-group", where(raw))
                .build());
        raw.texts("subnets").forEach(id -> rows.add(network(raw, "subnet", id, "attached")));
        raw.maybeText("nodeRole")
                .ifPresent(arn -> rows.add(dependency(raw, ENTITIES, "uses", IDENTITIES, key(raw, "iam_role", arn))));
        return rows;
    }

    private static List<Output> queue(Raw raw) {
        String arn = raw.text("QueueArn");
        String name = arn.substring(arn.lastIndexOf(':') + 1);
        return List.of(entity(raw, name, "storage", "queue_system", "active")
                .attribute("queue_url", raw.text("QueueUrl"))
                .attribute("queue_name", name)
                .attribute("queue_arn", arn)
                .attribute("approximate_messages", number(raw, "ApproximateNumberOfMessages"))
                .attribute("message_retention_seconds", number(raw, "MessageRetentionPeriod"))
                .attribute("visibility_timeout", number(raw, "VisibilityTimeout"))
                .attribute("delay_seconds", number(raw, "DelaySeconds"))
                .attribute("receive_wait_time", number(raw, "ReceiveMessageWaitTimeSeconds"))
                .attribute("is_fifo", raw.maybeText("FifoQueue").orElse("false").equals("true"))
                .attribute("created_timestamp", raw.maybeText("CreatedTimestamp"))
                .attribute("service", "sqs")
                .tags("aws", "sqs", "queue", where(raw))
                .build());
    }

    private static List<Output> topic(Raw raw) {
        String arn = raw.text("TopicArn");
        String name = arn.substring(arn.lastIndexOf(':') + 1);
        return List.of(entity(raw, name, "storage", "queue_system", "active")
                .attribute("topic_arn", arn)
                .attribute("topic_name", name)
                .attribute("display_name", raw.maybeText("DisplayName"))
                .attribute("subscriptions", number(raw, "SubscriptionsConfirmed"))
                .attribute("is_fifo", raw.maybeText("FifoTopic").orElse("false").equals("true"))
                .attribute("service", "sns")
                .tags("aws", "sns", "topic", where(raw))
                .build());
    }

    private static List<Output> iamUser(Raw raw) {
        return List.of(identity(raw, raw.text("UserName"), "integration")
                .set("last_login_at", raw.maybeText("PasswordLastUsed"))
                .attribute("user_id", raw.maybeText("UserId"))
                .attribute("arn", raw.text("Arn"))
                .attribute("path", raw.maybeText("Path"))
                .attribute("create_date", raw.maybeText("CreateDate"))
                .attribute("password_last_used", raw.maybeText("PasswordLastUsed"))
                .attribute("access_keys_count", raw.objects("AccessKeys").size())
                .attribute("groups", raw.texts("Groups"))
                .tags("aws", "iam", "user")
                .build());
    }

    private static List<Output> iamRole(Raw raw) {
        return List.of(identity(raw, raw.text("RoleName"), "service_account")
                .attribute("role_id", raw.maybeText("RoleId"))
                .attribute("arn", raw.text("Arn"))
                .attribute("path", raw.maybeText("Path"))
                .attribute("description", raw.maybeText("Description"))
                .attribute("create_date", raw.maybeText("CreateDate"))
                .attribute("max_session_duration", raw.maybeWhole("MaxSessionDuration"))
                .tags("aws", "iam", "role")
                .build());
    }

    /** A user and a role may have the same name: the role's says what it is. */
    private static Output.Builder identity(Raw raw, String name, String type) {
        String prefix = "aws:" + raw.key().account() + ":" + (type.equals("service_account") ? "role/" : "");
        return Output.row(IDENTITIES, raw.key().toString())
                .set("username", Output.within(255, prefix + name))
                .set("full_name", Output.within(255, name))
                .set("identity_type", type)
                .set("auth_provider", "aws")
                .set("auth_provider_id", Output.within(255, raw.text("Arn")))
                .set("is_active", true)
                .refer("organization", organization(raw))
                .attribute("provider", "aws")
                .attribute("account_id", raw.key().account());
    }

    private static List<Output> iamGroup(Raw raw) {
        return List.of(Output.row(IDENTITY_GROUPS, raw.key().toString())
                .set("name", Output.within(255, "aws:" + raw.key().account() + ":" + raw.text("GroupName")))
                .set("provider", "aws")
                .set("provider_group_id", Output.within(512, raw.text("Arn")))
                .set("sync_enabled", false)
                .set("is_active", true)
                .build());
    }

    private static List<Output> iamGroupMember(Raw raw) {
        return List.of(Output.row(IDENTITY_GROUP_MEMBERSHIPS, raw.key().toString())
                .set("provider_member_id", Output.within(512, raw.text("Arn")))
                .refer("identity", key(raw, "iam_user", raw.text("Arn")))
                .refer("group", key(raw, "iam_group", raw.text("GroupArn")))
                .build());
    }

    private static List<Output> distribution(Raw raw) {
        List<Raw> origins = raw.in("Origins").objects("Items");
        List<Output> rows = new ArrayList<>();
        rows.add(networking(raw, raw.text("DomainName"), "other")
                .set("description", raw.maybeText("Comment"))
                .set("is_active", raw.maybeYes("Enabled").orElse(true))
                .attribute("arn", raw.text("ARN"))
                .attribute("distribution_id", raw.text("Id"))
                .attribute("domain_name", raw.text("DomainName"))
                .attribute("aliases", raw.in("Aliases").texts("Items"))
                .attribute("origins", ids(origins, "DomainName"))
                .attribute("status", raw.maybeText("Status"))
                .attribute("service", "cloudfront")
                .tags("aws", "cloudfront")
                .build());
        ids(origins, "DomainName").stream()
                .map(BUCKET_ORIGIN::matcher)
                .filter(Matcher::matches)
                .map(matcher -> matcher.group(1))
                .distinct()
                .forEach(name -> rows.add(
                        dependency(raw, NETWORKING_RESOURCES, "routes_to", DATA_STORES, key(raw, "s3_bucket", name))));
        return rows;
    }

    private static List<Output> zone(Raw raw) {
        return List.of(networking(raw, raw.text("Name"), "other")
                .set("description", raw.in("Config").maybeText("Comment"))
                .attribute("zone_id", raw.text("Id").replace("/hostedzone/", ""))
                .attribute("domain_name", raw.text("Name"))
                .attribute("is_private", raw.in("Config").maybeYes("PrivateZone"))
                .attribute("record_count", raw.maybeWhole("ResourceRecordSetCount"))
                .attribute("service", "route53")
                .tags("aws", "route53", "dns")
                .build());
    }

    private static Output.Builder entity(Raw raw, String name, String type, String subType, String status) {
        return located(raw, Output.row(ENTITIES, raw.key().toString()))
                .set("name", Output.within(255, name))
                .set("type", type)
                .set("sub_type", subType)
                .set("external_id", Output.within(255, raw.key().id()))
                .set("cloud_provider", "aws")
                .set("region", where(raw))
                .set("status", status)
                .refer("organization", organization(raw));
    }

    private static Output.Builder networking(Raw raw, String name, String networkType) {
        return located(raw, Output.row(NETWORKING_RESOURCES, raw.key().toString()))
                .set("name", Output.within(255, name))
                .set("network_type", networkType)
                .set("region", where(raw))
                .set("is_active", true)
                .refer("organization", organization(raw))
                .attribute("resource_type", raw.key().kind())
                .attribute("resource_id", raw.key().id());
    }

    private static Output.Builder dataStore(Raw raw, String name, String storageType) {
        return located(raw, Output.row(DATA_STORES, raw.key().toString()))
                .set("name", Output.within(255, name))
                .set("storage_type", storageType)
                .set("storage_provider", "AWS")
                .set("location_region", where(raw))
                .set("is_active", true)
                .refer("organization", organization(raw))
                .attribute("resource_type", raw.key().kind())
                .attribute("resource_id", raw.key().id());
    }

    private static Output.Builder located(Raw raw, Output.Builder row) {
        Map<String, String> tags = vendorTags(raw);
        row.attribute("provider", "aws")
                .attribute("account_id", raw.key().account())
                .attribute("region", where(raw));
        return tags.isEmpty() ? row : row.attribute("tags", tags);
    }

    private static Output network(Raw raw, String kind, String id, String relationship) {
        return mapping(raw, key(raw, kind, id), raw.key(), relationship);
    }

    private static Output mapping(Raw raw, ResourceKey network, ResourceKey entity, String relationship) {
        ResourceKey other = network.equals(raw.key()) ? entity : network;
        return Output.row(NETWORK_ENTITY_MAPPINGS, raw.key().row(relationship + ":" + other))
                .set("relationship_type", relationship)
                .refer("network", network)
                .refer("entity", entity)
                .build();
    }

    private static Output toNetwork(Raw raw, String type, String kind, String id) {
        return dependency(raw, NETWORKING_RESOURCES, type, NETWORKING_RESOURCES, key(raw, kind, id));
    }

    private static Output dependency(
            Raw raw, ElderTable source, String type, ElderTable targetTable, ResourceKey target) {
        return link(raw, raw.key(), source, type, targetTable, target);
    }

    private static Output link(
            Raw raw,
            ResourceKey source,
            ElderTable sourceTable,
            String type,
            ElderTable targetTable,
            ResourceKey target) {
        String suffix = source.equals(raw.key()) ? type + ":" + target : type + ":" + source + ":" + target;
        return Output.row(DEPENDENCIES, raw.key().row(suffix))
                .set("source_type", sourceTable.noun())
                .set("target_type", targetTable.noun())
                .set("dependency_type", type)
                .refer("source", source)
                .refer("target", target)
                .build();
    }

    private static ResourceKey organization(Raw raw) {
        String region = where(raw);
        return region.equals("global") ? key(raw, "aws_account", raw.key().account()) : key(raw, "aws_region", region);
    }

    private static ResourceKey key(Raw raw, String kind, String id) {
        return new ResourceKey("aws", raw.key().account(), kind, id);
    }

    private static String arn(Raw raw, String service, String resource) {
        return "arn:" + raw.in("elder").text("partition") + ":" + service + ":" + where(raw) + ":"
                + raw.key().account() + ":" + resource;
    }

    private static String where(Raw raw) {
        return raw.in("elder").text("region");
    }

    private static boolean isAvailable(String state, String field) {
        return switch (state) {
            case "available" -> true;
            case "pending", "unavailable", "failed", "failed-insufficient-capacity" -> false;
            default -> throw new UnmappedValue(field, state, "pending, available, unavailable or failed");
        };
    }

    private static String named(Raw raw, String id) {
        return nameTag(raw).orElse(id);
    }

    private static Optional<String> nameTag(Raw raw) {
        return Optional.ofNullable(vendorTags(raw).get("Name")).filter(name -> !name.isBlank());
    }

    /** Lists of {@code Key} and {@code Value}, of {@code key} and {@code value}, or an object: each service has its own. */
    private static Map<String, String> vendorTags(Raw raw) {
        Map<String, String> tags = new TreeMap<>();
        raw.objects("Tags")
                .forEach(tag -> tags.put(tag.text("Key"), tag.maybeText("Value").orElse("")));
        raw.objects("TagList")
                .forEach(tag -> tags.put(tag.text("Key"), tag.maybeText("Value").orElse("")));
        if (raw.key().kind().startsWith("eks_")) {
            tags.putAll(raw.textsByName("tags"));
        } else {
            raw.objects("tags")
                    .forEach(tag ->
                            tags.put(tag.text("key"), tag.maybeText("value").orElse("")));
        }
        return tags;
    }

    private static List<String> ids(List<Raw> objects, String field) {
        return objects.stream()
                .map(each -> each.maybeText(field))
                .flatMap(Optional::stream)
                .distinct()
                .toList();
    }

    /** SQS and SNS send numbers as texts. */
    private static Optional<Long> number(Raw raw, String field) {
        return raw.maybeText(field).map(text -> {
            try {
                return Long.parseLong(text);
            } catch (NumberFormatException e) {
                throw new RejectedRecord(field, text, "a whole number");
            }
        });
    }

    private static String lower(String status) {
        return status.toLowerCase(Locale.ROOT);
    }
}
