package io.elder.fetch.aws;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Out;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.Provider;
import io.elder.fetch.ReadFailure;
import io.elder.fetch.Requests;
import io.elder.fetch.Resource;
import io.elder.fetch.StopReason;
import io.elder.fetch.Verdict;
import io.elder.runtime.Settings;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.services.cloudfront.CloudFrontClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.Reservation;
import software.amazon.awssdk.services.ecs.EcsClient;
import software.amazon.awssdk.services.ecs.model.ClusterField;
import software.amazon.awssdk.services.ecs.model.Failure;
import software.amazon.awssdk.services.ecs.model.ServiceField;
import software.amazon.awssdk.services.eks.EksClient;
import software.amazon.awssdk.services.elasticache.ElastiCacheClient;
import software.amazon.awssdk.services.elasticloadbalancing.ElasticLoadBalancingClient;
import software.amazon.awssdk.services.elasticloadbalancingv2.ElasticLoadBalancingV2Client;
import software.amazon.awssdk.services.iam.IamClient;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.organizations.OrganizationsClient;
import software.amazon.awssdk.services.organizations.model.Account;
import software.amazon.awssdk.services.organizations.model.AccountState;
import software.amazon.awssdk.services.rds.RdsClient;
import software.amazon.awssdk.services.route53.Route53Client;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.Bucket;
import software.amazon.awssdk.services.sns.SnsClient;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

/** Amazon Web Services: accounts, their regions, and what is in them. */
public final class AwsProvider implements Provider<AwsClient> {
    /** Service-linked roles belong to AWS, not to the account's owner. */
    private static final String SERVICE_LINKED = "/aws-service-role/";

    /** What only the runtime knows, beside what the vendor sent: the region of a record is in no field of many. */
    private static final String ADDED = "elder";

    private static final List<Resource<AwsClient>> TABLE = table();

    private static List<Resource<AwsClient>> table() {
        Resource<AwsClient> iamGroup = global("iam", "iam_group", "Arn", paged(AwsProvider::iamGroups));
        Resource<AwsClient> targetGroup =
                regional("elb", "target_group", "TargetGroupArn", paged(AwsProvider::targetGroups));
        Resource<AwsClient> ecsCluster = regional("ecs", "ecs_cluster", "clusterArn", AwsProvider::fetchEcsClusters);
        Resource<AwsClient> eksCluster = regional("eks", "eks_cluster", "arn", AwsProvider::fetchEksClusters);
        return List.of(
                global("", "aws_account", "Id", AwsProvider::fetchAccount),
                regional("", "aws_region", "RegionName", AwsProvider::fetchRegion),
                regional("ec2", "ec2_instance", "InstanceId", paged(AwsProvider::instances)),
                regional("ebs", "ebs_volume", "VolumeId", paged(AwsProvider::volumes)),
                regional("vpc", "vpc", "VpcId", paged(AwsProvider::vpcs)),
                regional("vpc", "subnet", "SubnetId", paged(AwsProvider::subnets)),
                regional("vpc", "security_group", "GroupId", paged(AwsProvider::securityGroups)),
                regional("vpc", "route_table", "RouteTableId", paged(AwsProvider::routeTables)),
                regional("vpc", "nat_gateway", "NatGatewayId", paged(AwsProvider::natGateways)),
                regional("vpc", "internet_gateway", "InternetGatewayId", paged(AwsProvider::internetGateways)),
                regional("vpc", "network_interface", "NetworkInterfaceId", paged(AwsProvider::networkInterfaces)),
                regional("vpc", "elastic_ip", AwsProvider::addressId, paged(AwsProvider::elasticIps)),
                regional("elb", "load_balancer", "LoadBalancerArn", AwsProvider::fetchLoadBalancers),
                regional(
                        "elb", "classic_load_balancer", AwsProvider::classicId, AwsProvider::fetchClassicLoadBalancers),
                targetGroup,
                child(targetGroup, "load_balancer_target", AwsProvider::targetId, AwsProvider::fetchTargets),
                regional("rds", "rds_instance", "DBInstanceArn", paged(AwsProvider::dbInstances)),
                regional("rds", "rds_cluster", "DBClusterArn", paged(AwsProvider::dbClusters)),
                regional(
                        "elasticache",
                        "elasticache_cluster",
                        "ARN",
                        tagged(AwsProvider::cacheClusters, AwsProvider::cacheTags)),
                regional(
                        "elasticache",
                        "elasticache_replication_group",
                        "ARN",
                        tagged(AwsProvider::replicationGroups, AwsProvider::cacheTags)),
                regional(
                        "lambda",
                        "lambda_function",
                        "FunctionArn",
                        tagged(AwsProvider::functions, AwsProvider::functionTags)),
                ecsCluster,
                child(ecsCluster, "ecs_service", AwsProvider::serviceId, AwsProvider::fetchEcsServices),
                eksCluster,
                child(eksCluster, "eks_node_group", "nodegroupArn", AwsProvider::fetchNodeGroups),
                regional("sqs", "sqs_queue", "QueueArn", AwsProvider::fetchQueues),
                regional("sns", "sns_topic", "TopicArn", AwsProvider::fetchTopics),
                regional("dynamodb", "dynamodb_table", "TableArn", AwsProvider::fetchTables),
                global("s3", "s3_bucket", "Name", AwsProvider::fetchBuckets),
                global("iam", "iam_user", "Arn", AwsProvider::fetchUsers),
                global("iam", "iam_role", "Arn", paged(AwsProvider::roles)),
                iamGroup,
                child(iamGroup, "iam_group_member", AwsProvider::memberId, AwsProvider::fetchGroupMembers),
                global(
                        "cloudfront",
                        "cloudfront_distribution",
                        "ARN",
                        tagged(AwsProvider::distributions, AwsProvider::distributionTags)),
                global("route53", "route53_zone", "Id", tagged(AwsProvider::zones, AwsProvider::zoneTags)));
    }

    private static final Pattern SHORT_SERVICE_ARN = Pattern.compile("[^/]+:service/[^/]+");

    private static final Set<String> SERVICES = Set.of(
            "ec2",
            "ebs",
            "vpc",
            "elb",
            "rds",
            "elasticache",
            "lambda",
            "ecs",
            "eks",
            "sqs",
            "sns",
            "dynamodb",
            "s3",
            "iam",
            "cloudfront",
            "route53");

    @Override
    public String name() {
        return "aws";
    }

    @Override
    public String title() {
        return "AWS";
    }

    @Override
    public AwsClient connect(Settings settings) throws Exception {
        AwsSettings aws = AwsSettings.from(settings, SERVICES);
        settings.check();
        return AwsClient.open(aws);
    }

    @Override
    public boolean isShareable() {
        return true;
    }

    /** Of EC2's describe requests an account may make 100 at once and then 20 a second in each region. */
    @Override
    public double requestsPerSecond() {
        return 20;
    }

    @Override
    public String identity(AwsClient aws) {
        return "account " + aws.account() + ", " + aws.arn();
    }

    @Override
    public List<Resource<AwsClient>> resources() {
        return TABLE;
    }

    @Override
    public List<Partition> partitions(AwsClient aws, Requests requests) throws Exception {
        List<String> regions = aws.settings().regions();
        List<String> ofHome = regions.isEmpty() ? enabledRegions(aws, aws.account(), requests) : regions;
        List<Partition> partitions = new ArrayList<>();
        for (String account : accounts(aws, requests)) {
            partitions.add(Partition.global(account));
            List<String> here = regions.isEmpty() && !account.equals(aws.account())
                    ? enabledRegionsOr(ofHome, aws, account, requests)
                    : ofHome;
            here.forEach(region -> partitions.add(new Partition(account, region)));
        }
        return partitions;
    }

    private static List<String> accounts(AwsClient aws, Requests requests) throws Exception {
        List<String> accounts = new ArrayList<>(List.of(aws.account()));
        if (aws.settings().isOrganization()) {
            requests.pages(
                    cursor -> {
                        var page = organizations(aws)
                                .listAccounts(r -> r.nextToken(cursor).maxResults(aws.page(1, 20)));
                        return new Page<>(page.accounts(), page.nextToken());
                    },
                    each -> {
                        // One that is suspended or being closed can't be entered.
                        if (isActive(each) && !each.id().equals(aws.account())) {
                            accounts.add(each.id());
                        }
                    });
        }
        return accounts;
    }

    /**
     * The state has replaced the status, which simulators still send alone.
     *
     * @see <a href="https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html">Account</a>
     */
    private static boolean isActive(Account account) {
        return account.state() == null
                ? "ACTIVE".equals(account.statusAsString())
                : account.state() == AccountState.ACTIVE;
    }

    private static List<String> enabledRegions(AwsClient aws, String account, Requests requests) throws Exception {
        Partition home = new Partition(account, aws.settings().home());
        return requests.request(() -> ec2(aws, home).describeRegions().regions().stream()
                .map(region -> region.regionName())
                .sorted()
                .toList());
    }

    /** An account that lets nobody in must not stop the others: its scopes fail one by one. */
    private static List<String> enabledRegionsOr(
            List<String> otherwise, AwsClient aws, String account, Requests requests) throws Exception {
        try {
            return enabledRegions(aws, account, requests);
        } catch (AwsServiceException e) {
            if (verdict(e) instanceof Verdict.Stop) {
                return otherwise;
            }
            throw e;
        }
    }

    @Override
    public Verdict classify(Throwable failure) {
        return AwsVerdicts.on(failure);
    }

    private static Verdict verdict(AwsServiceException failure) {
        return AwsVerdicts.on(failure);
    }

    /** A page of a list, in a partition. */
    @FunctionalInterface
    private interface Listing {
        Page<ObjectNode> page(AwsClient aws, Partition where, String cursor) throws Exception;
    }

    private static Resource.Root<AwsClient> regional(
            String service, String kind, String id, Resource.RootFetch<AwsClient> fetch) {
        return regional(service, kind, object -> object.path(id).asText(""), fetch);
    }

    private static Resource.Root<AwsClient> regional(
            String service, String kind, Function<JsonNode, String> id, Resource.RootFetch<AwsClient> fetch) {
        return Resource.<AwsClient>root(kind, id, located(fetch))
                .only((aws, where) -> !where.isGlobal() && isWanted(aws, service));
    }

    private static Resource.Root<AwsClient> global(
            String service, String kind, String id, Resource.RootFetch<AwsClient> fetch) {
        return Resource.<AwsClient>root(kind, id, located(fetch))
                .only((aws, where) -> where.isGlobal() && isWanted(aws, service));
    }

    private static Resource.Child<AwsClient> child(
            Resource<AwsClient> parent, String kind, String id, Resource.ChildFetch<AwsClient> fetch) {
        return child(parent, kind, object -> object.path(id).asText(""), fetch);
    }

    private static Resource.Child<AwsClient> child(
            Resource<AwsClient> parent,
            String kind,
            Function<JsonNode, String> id,
            Resource.ChildFetch<AwsClient> fetch) {
        return Resource.child(parent, kind, id, (aws, where, object, out) -> {
            try (AwsClient.Reading unused = aws.reading(where.account())) {
                fetch.fetch(aws, where, object, located(aws, where, out));
            }
        });
    }

    private static boolean isWanted(AwsClient aws, String service) {
        return service.isEmpty() || aws.settings().reads(service);
    }

    private static Resource.RootFetch<AwsClient> paged(Listing listing) {
        return (aws, where, out) -> out.pages(cursor -> listing.page(aws, where, cursor));
    }

    /** Asks for the tags of one object. */
    @FunctionalInterface
    private interface TagsOf {
        List<ObjectNode> ask(AwsClient aws, Partition where, ObjectNode object) throws Exception;
    }

    /** A list whose API tells tags only one by one. */
    private static Resource.RootFetch<AwsClient> tagged(Listing listing, TagsOf tags) {
        return (aws, where, out) -> out.pages(
                cursor -> listing.page(aws, where, cursor),
                object -> out.accept(withTags(object, () -> out.request(() -> tags.ask(aws, where, object)))));
    }

    private static ObjectNode withTags(ObjectNode object, Requests.Request<List<ObjectNode>> tags) throws Exception {
        findDetail(object, "Tags", () -> ifThere(tags))
                .flatMap(Function.identity())
                .ifPresent(found -> tagged(object, found));
        return object;
    }

    private static List<ObjectNode> tags(Map<String, String> byKey) {
        return new TreeMap<>(byKey)
                .entrySet().stream()
                        .map(tag -> JsonNodeFactory.instance
                                .objectNode()
                                .put("Key", tag.getKey())
                                .put("Value", tag.getValue()))
                        .toList();
    }

    private static List<ObjectNode> cacheTags(AwsClient aws, Partition where, ObjectNode object) {
        return AwsJson.of(elastiCache(aws, where)
                .listTagsForResource(r -> r.resourceName(object.path("ARN").asText()))
                .tagList());
    }

    private static List<ObjectNode> functionTags(AwsClient aws, Partition where, ObjectNode function) {
        return tags(aws.of(LambdaClient.class, LambdaClient::builder, where)
                .listTags(r -> r.resource(function.path("FunctionArn").asText()))
                .tags());
    }

    private static List<ObjectNode> distributionTags(AwsClient aws, Partition where, ObjectNode distribution) {
        return AwsJson.of(aws.of(CloudFrontClient.class, CloudFrontClient::builder, where)
                .listTagsForResource(r -> r.resource(distribution.path("ARN").asText()))
                .tags()
                .items());
    }

    private static List<ObjectNode> zoneTags(AwsClient aws, Partition where, ObjectNode zone) {
        String id = zone.path("Id").asText();
        return AwsJson.of(aws.of(Route53Client.class, Route53Client::builder, where)
                .listTagsForResource(
                        r -> r.resourceType("hostedzone").resourceId(id.substring(id.lastIndexOf('/') + 1)))
                .resourceTagSet()
                .tags());
    }

    private static Resource.RootFetch<AwsClient> located(Resource.RootFetch<AwsClient> fetch) {
        return (aws, where, out) -> {
            try (AwsClient.Reading unused = aws.reading(where.account())) {
                fetch.fetch(aws, where, located(aws, where, out));
            }
        };
    }

    private static Out located(AwsClient aws, Partition where, Out out) {
        return new Out() {
            @Override
            public void accept(ObjectNode object) {
                object.withObject(ADDED).put("region", where.region()).put("partition", aws.partition());
                out.accept(object);
            }

            @Override
            public <T> T request(Request<T> request) throws Exception {
                return out.request(request);
            }

            @Override
            public <T> void pages(PageRequest<T> request, Each<? super T> each) throws Exception {
                out.pages(request, each);
            }
        };
    }

    private static Page<ObjectNode> page(List<? extends SdkPojo> items, String next) {
        return new Page<>(() -> AwsJson.of(items), next);
    }

    private static void fetchAccount(AwsClient aws, Partition where, Out out) throws Exception {
        ObjectNode account;
        if (aws.settings().isOrganization()) {
            account = AwsJson.of(out.request(() -> organizations(aws)
                    .describeAccount(r -> r.accountId(where.account()))
                    .account()));
        } else {
            account = JsonNodeFactory.instance.objectNode().put("Id", where.account());
        }
        // An account has one alias or none; whoever may not ask for it does without.
        if (where.account().equals(aws.account()) && aws.settings().reads("iam")) {
            findDetail(
                            account,
                            "Aliases",
                            () -> out.request(
                                    () -> iam(aws, where).listAccountAliases().accountAliases()))
                    .flatMap(aliases -> aliases.stream().findFirst())
                    .ifPresent(alias -> account.put("Alias", alias));
        }
        out.accept(account);
    }

    private static void fetchRegion(AwsClient aws, Partition where, Out out) {
        out.accept(JsonNodeFactory.instance.objectNode().put("RegionName", where.region()));
    }

    private static Page<ObjectNode> instances(AwsClient aws, Partition where, String cursor) throws Exception {
        return EarlyToken.page(configuration -> {
            var page = ec2(aws, where)
                    .describeInstances(r ->
                            r.nextToken(cursor).maxResults(aws.page(5, 1000)).overrideConfiguration(configuration));
            return new Page<>(() -> instances(page.reservations()), page.nextToken());
        });
    }

    private static List<ObjectNode> instances(List<Reservation> reservations) {
        List<ObjectNode> instances = new ArrayList<>();
        for (var reservation : reservations) {
            for (var instance : reservation.instances()) {
                ObjectNode json = AwsJson.of(instance);
                json.put("ReservationId", reservation.reservationId());
                json.put("OwnerId", reservation.ownerId());
                instances.add(json);
            }
        }
        return instances;
    }

    private static Page<ObjectNode> volumes(AwsClient aws, Partition where, String cursor) {
        var page = ec2(aws, where).describeVolumes(r -> r.nextToken(cursor).maxResults(aws.page(5, 500)));
        return page(page.volumes(), page.nextToken());
    }

    private static Page<ObjectNode> vpcs(AwsClient aws, Partition where, String cursor) {
        var page = ec2(aws, where).describeVpcs(r -> r.nextToken(cursor).maxResults(aws.page(5, 1000)));
        return page(page.vpcs(), page.nextToken());
    }

    private static Page<ObjectNode> subnets(AwsClient aws, Partition where, String cursor) {
        var page = ec2(aws, where).describeSubnets(r -> r.nextToken(cursor).maxResults(aws.page(5, 1000)));
        return page(page.subnets(), page.nextToken());
    }

    private static Page<ObjectNode> securityGroups(AwsClient aws, Partition where, String cursor) {
        var page =
                ec2(aws, where).describeSecurityGroups(r -> r.nextToken(cursor).maxResults(aws.page(5, 1000)));
        return page(page.securityGroups(), page.nextToken());
    }

    private static Page<ObjectNode> routeTables(AwsClient aws, Partition where, String cursor) {
        var page = ec2(aws, where).describeRouteTables(r -> r.nextToken(cursor).maxResults(aws.page(5, 100)));
        return page(page.routeTables(), page.nextToken());
    }

    private static Page<ObjectNode> natGateways(AwsClient aws, Partition where, String cursor) {
        var page = ec2(aws, where).describeNatGateways(r -> r.nextToken(cursor).maxResults(aws.page(5, 1000)));
        return page(page.natGateways(), page.nextToken());
    }

    private static Page<ObjectNode> internetGateways(AwsClient aws, Partition where, String cursor) {
        var page = ec2(aws, where)
                .describeInternetGateways(r -> r.nextToken(cursor).maxResults(aws.page(5, 1000)));
        return page(page.internetGateways(), page.nextToken());
    }

    private static Page<ObjectNode> networkInterfaces(AwsClient aws, Partition where, String cursor) {
        var page = ec2(aws, where)
                .describeNetworkInterfaces(r -> r.nextToken(cursor).maxResults(aws.page(5, 1000)));
        return page(page.networkInterfaces(), page.nextToken());
    }

    /** Unpaged. */
    private static Page<ObjectNode> elasticIps(AwsClient aws, Partition where, String cursor) {
        List<ObjectNode> addresses =
                AwsJson.of(ec2(aws, where).describeAddresses().addresses());
        return Page.last(addresses);
    }

    /** An address of before 2013 has no allocation. */
    private static String addressId(JsonNode address) {
        return address.path("AllocationId").asText(address.path("PublicIp").asText(""));
    }

    private static void fetchLoadBalancers(AwsClient aws, Partition where, Out out) throws Exception {
        out.pages(
                cursor -> {
                    var page = elb(aws, where)
                            .describeLoadBalancers(r -> r.marker(cursor).pageSize(aws.page(1, 400)));
                    return new Page<>(batches(page.loadBalancers(), aws.batch(20)), page.nextMarker());
                },
                batch -> {
                    Map<String, List<ObjectNode>> tags = out
                            .request(() -> elb(aws, where)
                                    .describeTags(r -> r.resourceArns(batch.stream()
                                            .map(each -> each.loadBalancerArn())
                                            .toList()))
                                    .tagDescriptions())
                            .stream()
                            .collect(Collectors.toMap(each -> each.resourceArn(), each -> AwsJson.of(each.tags())));
                    for (var each : batch) {
                        out.accept(tagged(AwsJson.of(each), tags.get(each.loadBalancerArn())));
                    }
                });
    }

    private static void fetchClassicLoadBalancers(AwsClient aws, Partition where, Out out) throws Exception {
        out.pages(
                cursor -> {
                    var page = classicElb(aws, where)
                            .describeLoadBalancers(r -> r.marker(cursor).pageSize(aws.page(1, 400)));
                    return new Page<>(batches(page.loadBalancerDescriptions(), aws.batch(20)), page.nextMarker());
                },
                batch -> {
                    Map<String, List<ObjectNode>> tags = out
                            .request(() -> classicElb(aws, where)
                                    .describeTags(r -> r.loadBalancerNames(batch.stream()
                                            .map(each -> each.loadBalancerName())
                                            .toList()))
                                    .tagDescriptions())
                            .stream()
                            .collect(
                                    Collectors.toMap(each -> each.loadBalancerName(), each -> AwsJson.of(each.tags())));
                    for (var each : batch) {
                        out.accept(tagged(AwsJson.of(each), tags.get(each.loadBalancerName())));
                    }
                });
    }

    /** These have no ARN of their own, and a name only within their region. */
    private static String classicId(JsonNode loadBalancer) {
        return loadBalancer.at("/elder/region").asText() + "/"
                + loadBalancer.path("LoadBalancerName").asText();
    }

    private static Page<ObjectNode> targetGroups(AwsClient aws, Partition where, String cursor) {
        var page = elb(aws, where).describeTargetGroups(r -> r.marker(cursor).pageSize(aws.page(1, 400)));
        return page(page.targetGroups(), page.nextMarker());
    }

    /** Unpaged. */
    private static void fetchTargets(AwsClient aws, Partition where, JsonNode group, Out out) throws Exception {
        String arn = group.get("TargetGroupArn").textValue();
        for (var health : out.request(() ->
                elb(aws, where).describeTargetHealth(r -> r.targetGroupArn(arn)).targetHealthDescriptions())) {
            ObjectNode json = AwsJson.of(health);
            json.put("TargetGroupArn", arn);
            // Groups from before there were others have no type.
            json.put("TargetType", group.path("TargetType").asText("instance"));
            if (group.has("LoadBalancerArns")) {
                json.set("LoadBalancerArns", group.get("LoadBalancerArns"));
            }
            out.accept(json);
        }
    }

    private static String targetId(JsonNode target) {
        return target.path("TargetGroupArn").asText() + "/"
                + target.at("/Target/Id").asText() + "/"
                + target.at("/Target/Port").asText();
    }

    private static Page<ObjectNode> dbInstances(AwsClient aws, Partition where, String cursor) {
        var page = rds(aws, where).describeDBInstances(r -> r.marker(cursor).maxRecords(aws.page(20, 100)));
        return new Page<>(withoutMasterPassword(AwsJson.of(page.dbInstances())), page.marker());
    }

    private static Page<ObjectNode> dbClusters(AwsClient aws, Partition where, String cursor) {
        var page = rds(aws, where).describeDBClusters(r -> r.marker(cursor).maxRecords(aws.page(20, 100)));
        return new Page<>(withoutMasterPassword(AwsJson.of(page.dbClusters())), page.marker());
    }

    private static List<ObjectNode> withoutMasterPassword(List<ObjectNode> databases) {
        for (ObjectNode database : databases) {
            if (database.get("PendingModifiedValues") instanceof ObjectNode pending) {
                pending.remove("MasterUserPassword");
            }
        }
        return databases;
    }

    private static Page<ObjectNode> cacheClusters(AwsClient aws, Partition where, String cursor) {
        var page = elastiCache(aws, where)
                .describeCacheClusters(
                        r -> r.marker(cursor).maxRecords(aws.page(20, 100)).showCacheNodeInfo(true));
        return page(page.cacheClusters(), page.marker());
    }

    private static Page<ObjectNode> replicationGroups(AwsClient aws, Partition where, String cursor) {
        var page = elastiCache(aws, where)
                .describeReplicationGroups(r -> r.marker(cursor).maxRecords(aws.page(20, 100)));
        return page(page.replicationGroups(), page.marker());
    }

    private static Page<ObjectNode> functions(AwsClient aws, Partition where, String cursor) {
        var page = aws.of(LambdaClient.class, LambdaClient::builder, where)
                .listFunctions(r -> r.marker(cursor).maxItems(aws.page(1, 50)));
        List<ObjectNode> functions = AwsJson.of(page.functions());
        functions.forEach(AwsProvider::dropEnvironmentValues);
        return new Page<>(functions, page.nextMarker());
    }

    /** Passwords live in there. The names stay. */
    private static void dropEnvironmentValues(ObjectNode function) {
        if (function.get("Environment") instanceof ObjectNode environment) {
            keepNames(environment, "Variables", "VariableNames");
        }
    }

    private static void keepNames(ObjectNode holder, String map, String list) {
        ArrayNode names = holder.putArray(list);
        holder.path(map).fieldNames().forEachRemaining(names::add);
        holder.remove(map);
    }

    private static void fetchEcsClusters(AwsClient aws, Partition where, Out out) throws Exception {
        out.pages(
                cursor -> {
                    var page = ecs(aws, where)
                            .listClusters(r -> r.nextToken(cursor).maxResults(aws.page(1, 100)));
                    return new Page<>(batches(page.clusterArns(), aws.batch(100)), page.nextToken());
                },
                batch -> {
                    var described = out.request(() -> ecs(aws, where).describeClusters(r -> r.clusters(batch)
                            .include(ClusterField.TAGS, ClusterField.STATISTICS, ClusterField.SETTINGS)));
                    checkWhole("DescribeClusters", described.failures());
                    AwsJson.of(described.clusters()).forEach(out::accept);
                });
    }

    private static void fetchEcsServices(AwsClient aws, Partition where, JsonNode cluster, Out out) throws Exception {
        String arn = cluster.get("clusterArn").textValue();
        out.pages(
                cursor -> {
                    var page = ecs(aws, where)
                            .listServices(r -> r.cluster(arn).nextToken(cursor).maxResults(aws.page(1, 100)));
                    return new Page<>(batches(page.serviceArns(), aws.batch(10)), page.nextToken());
                },
                batch -> {
                    var described = out.request(() -> ecs(aws, where)
                            .describeServices(
                                    r -> r.cluster(arn).services(batch).include(ServiceField.TAGS)));
                    checkWhole("DescribeServices", described.failures());
                    for (ObjectNode service : AwsJson.of(described.services())) {
                        // The last hundred things that happened; they change at every read.
                        service.remove("events");
                        dropLogOptionValues(service);
                        out.accept(service);
                    }
                });
    }

    /** A token of the log's receiver may be among them, such as {@code splunk-token}. */
    private static void dropLogOptionValues(ObjectNode service) {
        for (JsonNode log : service.findValues("logConfiguration")) {
            if (log instanceof ObjectNode configuration && configuration.has("options")) {
                keepNames(configuration, "options", "optionNames");
            }
        }
    }

    /** What was listed and is gone is missing; with any other reason it is there, and was not told. */
    private static void checkWhole(String request, List<Failure> failures) throws ReadFailure {
        for (Failure failure : failures) {
            if (!"MISSING".equals(failure.reason())) {
                throw incomplete("%s left out %s: %s".formatted(request, failure.arn(), failure.reason()));
            }
        }
    }

    /**
     * The ARN. Those of services from before 2021 lack the cluster, so that each cluster of a region may have the same one.
     *
     * @see <a href="https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html">Account settings</a>
     */
    private static String serviceId(JsonNode service) {
        String arn = service.path("serviceArn").asText();
        String cluster = service.path("clusterArn").asText();
        return SHORT_SERVICE_ARN.matcher(arn).matches()
                ? arn.replace("/", "/" + cluster.substring(cluster.lastIndexOf('/') + 1) + "/")
                : arn;
    }

    private static void fetchEksClusters(AwsClient aws, Partition where, Out out) throws Exception {
        out.pages(
                cursor -> {
                    var page = eks(aws, where)
                            .listClusters(r -> r.nextToken(cursor).maxResults(aws.page(1, 100)));
                    return new Page<>(page.clusters(), page.nextToken());
                },
                name -> ifThere(() -> out.request(() -> eks(aws, where)
                                .describeCluster(r -> r.name(name))
                                .cluster()))
                        .ifPresent(each -> out.accept(AwsJson.of(each))));
    }

    private static void fetchNodeGroups(AwsClient aws, Partition where, JsonNode cluster, Out out) throws Exception {
        String name = cluster.get("name").textValue();
        out.pages(
                cursor -> {
                    var page = eks(aws, where)
                            .listNodegroups(
                                    r -> r.clusterName(name).nextToken(cursor).maxResults(aws.page(1, 100)));
                    return new Page<>(page.nodegroups(), page.nextToken());
                },
                group -> ifThere(() -> out.request(() -> eks(aws, where)
                                .describeNodegroup(r -> r.clusterName(name).nodegroupName(group))
                                .nodegroup()))
                        .ifPresent(each -> {
                            ObjectNode json = AwsJson.of(each);
                            json.set("clusterArn", cluster.get("arn"));
                            out.accept(json);
                        }));
    }

    private static void fetchQueues(AwsClient aws, Partition where, Out out) throws Exception {
        SqsClient sqs = aws.of(SqsClient.class, SqsClient::builder, where);
        out.pages(
                cursor -> {
                    // Without maxResults there is no token, and all beyond the first thousand are lost.
                    var page = sqs.listQueues(r -> r.nextToken(cursor).maxResults(aws.page(1, 1000)));
                    return new Page<>(page.queueUrls(), page.nextToken());
                },
                url -> {
                    var attributes = ifThere(() -> out.request(
                            () -> sqs.getQueueAttributes(r -> r.queueUrl(url).attributeNames(QueueAttributeName.ALL))));
                    if (attributes.isPresent()) {
                        ObjectNode queue = JsonNodeFactory.instance.objectNode().put("QueueUrl", url);
                        attributes.get().attributesAsStrings().forEach(queue::put);
                        out.accept(withTags(
                                queue,
                                () -> tags(out.request(() -> sqs.listQueueTags(r -> r.queueUrl(url)))
                                        .tags())));
                    }
                });
    }

    private static void fetchTopics(AwsClient aws, Partition where, Out out) throws Exception {
        SnsClient sns = aws.of(SnsClient.class, SnsClient::builder, where);
        out.pages(
                cursor -> {
                    var page = sns.listTopics(r -> r.nextToken(cursor));
                    return new Page<>(page.topics(), page.nextToken());
                },
                topic -> {
                    String arn = topic.topicArn();
                    var attributes = ifThere(() -> out.request(() -> sns.getTopicAttributes(r -> r.topicArn(arn))));
                    if (attributes.isPresent()) {
                        ObjectNode json = AwsJson.of(topic);
                        attributes.get().attributes().forEach(json::put);
                        out.accept(withTags(
                                json,
                                () -> AwsJson.of(out.request(() -> sns.listTagsForResource(r -> r.resourceArn(arn)))
                                        .tags())));
                    }
                });
    }

    private static void fetchTables(AwsClient aws, Partition where, Out out) throws Exception {
        DynamoDbClient dynamo = aws.of(DynamoDbClient.class, DynamoDbClient::builder, where);
        out.pages(
                cursor -> {
                    var page = dynamo.listTables(
                            r -> r.exclusiveStartTableName(cursor).limit(aws.page(1, 100)));
                    return new Page<>(page.tableNames(), page.lastEvaluatedTableName());
                },
                name -> {
                    var table = ifThere(() -> out.request(
                            () -> dynamo.describeTable(r -> r.tableName(name)).table()));
                    if (table.isPresent()) {
                        // Fifty tags at most: they all come at once.
                        out.accept(withTags(
                                AwsJson.of(table.get()),
                                () -> AwsJson.of(out.request(() -> dynamo.listTagsOfResource(
                                                r -> r.resourceArn(table.get().tableArn())))
                                        .tags())));
                    }
                });
    }

    private static void fetchBuckets(AwsClient aws, Partition where, Out out) throws Exception {
        out.pages(
                cursor -> {
                    // As pages, each bucket says its region.
                    var page = s3(aws, where)
                            .listBuckets(r -> r.continuationToken(cursor).maxBuckets(aws.page(1, 10_000)));
                    return new Page<>(page.buckets(), page.continuationToken());
                },
                bucket -> {
                    ObjectNode json = AwsJson.of(bucket);
                    Optional<String> region = ifThere(() -> bucketRegion(aws, where, bucket, out));
                    if (region.isPresent()) {
                        json.put("BucketRegion", region.get());
                        addBucketDetails(
                                s3(aws, new Partition(where.account(), region.get())), bucket.name(), json, out);
                        out.accept(json);
                    }
                });
    }

    private static String bucketRegion(AwsClient aws, Partition where, Bucket bucket, Out out) throws Exception {
        if (bucket.bucketRegion() != null) {
            return bucket.bucketRegion();
        }
        String location = out.request(() ->
                s3(aws, where).getBucketLocation(r -> r.bucket(bucket.name())).locationConstraintAsString());
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
        return location == null || location.isEmpty() ? "us-east-1" : location.equals("EU") ? "eu-west-1" : location;
    }

    private static void addBucketDetails(S3Client s3, String name, ObjectNode json, Out out) throws Exception {
        findDetail(json, "Tags", () -> ifThere(() -> out.request(() -> s3.getBucketTagging(r -> r.bucket(name)))))
                .flatMap(Function.identity())
                .ifPresent(answer -> tagged(json, AwsJson.of(answer.tagSet())));
        findDetail(
                        json,
                        "ServerSideEncryptionConfiguration",
                        () -> ifThere(() -> out.request(() -> s3.getBucketEncryption(r -> r.bucket(name)))))
                .flatMap(Function.identity())
                .ifPresent(answer -> json.set(
                        "ServerSideEncryptionConfiguration", AwsJson.of(answer.serverSideEncryptionConfiguration())));
        findDetail(
                        json,
                        "PublicAccessBlockConfiguration",
                        () -> ifThere(() -> out.request(() -> s3.getPublicAccessBlock(r -> r.bucket(name)))))
                .flatMap(Function.identity())
                .ifPresent(answer -> json.set(
                        "PublicAccessBlockConfiguration", AwsJson.of(answer.publicAccessBlockConfiguration())));
    }

    private static void fetchUsers(AwsClient aws, Partition where, Out out) throws Exception {
        IamClient iam = iam(aws, where);
        out.pages(
                cursor -> {
                    var page = iam.listUsers(r -> r.marker(cursor).maxItems(aws.page(1, 1000)));
                    return new Page<>(page.users(), next(page.isTruncated(), page.marker()));
                },
                user -> {
                    ObjectNode json = AwsJson.of(user);
                    ArrayNode keys = json.putArray("AccessKeys");
                    ArrayNode groups = json.putArray("Groups");
                    boolean isThere = ifThere(() -> {
                                out.pages(
                                        cursor -> {
                                            var page = iam.listAccessKeys(r ->
                                                    r.userName(user.userName()).marker(cursor));
                                            return new Page<>(
                                                    page.accessKeyMetadata(), next(page.isTruncated(), page.marker()));
                                        },
                                        key -> keys.add(AwsJson.of(key)));
                                out.pages(
                                        cursor -> {
                                            var page = iam.listGroupsForUser(r ->
                                                    r.userName(user.userName()).marker(cursor));
                                            return new Page<>(page.groups(), next(page.isTruncated(), page.marker()));
                                        },
                                        group -> groups.add(group.groupName()));
                                return true;
                            })
                            .isPresent();
                    if (isThere) {
                        out.accept(json);
                    }
                });
    }

    private static Page<ObjectNode> roles(AwsClient aws, Partition where, String cursor) throws ReadFailure {
        var page = iam(aws, where).listRoles(r -> r.marker(cursor).maxItems(aws.page(1, 1000)));
        return page(
                page.roles().stream()
                        .filter(role -> !role.path().startsWith(SERVICE_LINKED))
                        .toList(),
                next(page.isTruncated(), page.marker()));
    }

    private static Page<ObjectNode> iamGroups(AwsClient aws, Partition where, String cursor) throws ReadFailure {
        var page = iam(aws, where).listGroups(r -> r.marker(cursor).maxItems(aws.page(1, 1000)));
        return page(page.groups(), next(page.isTruncated(), page.marker()));
    }

    private static void fetchGroupMembers(AwsClient aws, Partition where, JsonNode group, Out out) throws Exception {
        String name = group.get("GroupName").textValue();
        out.pages(cursor -> {
            var page = iam(aws, where)
                    .getGroup(r -> r.groupName(name).marker(cursor).maxItems(aws.page(1, 1000)));
            List<ObjectNode> members = new ArrayList<>();
            for (var user : page.users()) {
                ObjectNode json = AwsJson.of(user);
                json.set("GroupArn", group.get("Arn"));
                members.add(json);
            }
            return new Page<>(members, next(page.isTruncated(), page.marker()));
        });
    }

    private static String memberId(JsonNode member) {
        return member.path("GroupArn").asText() + "/" + member.path("Arn").asText();
    }

    private static Page<ObjectNode> distributions(AwsClient aws, Partition where, String cursor) throws ReadFailure {
        var list = aws.of(CloudFrontClient.class, CloudFrontClient::builder, where)
                .listDistributions(r -> r.marker(cursor).maxItems(Integer.toString(aws.page(1, 100))))
                .distributionList();
        List<ObjectNode> distributions = AwsJson.of(list.items());
        // By such headers an origin knows that CloudFront is asking: their values are secrets.
        distributions.forEach(each -> each.at("/Origins/Items").forEach(origin -> origin.at("/CustomHeaders/Items")
                .forEach(header -> ((ObjectNode) header).remove("HeaderValue"))));
        return new Page<>(distributions, next(list.isTruncated(), list.nextMarker()));
    }

    private static Page<ObjectNode> zones(AwsClient aws, Partition where, String cursor) throws ReadFailure {
        var page = aws.of(Route53Client.class, Route53Client::builder, where)
                .listHostedZones(r -> r.marker(cursor).maxItems(Integer.toString(aws.page(1, 100))));
        return page(page.hostedZones(), next(page.isTruncated(), page.nextMarker()));
    }

    /** A marker counts only where the list says that it was cut; one that was cut and has none can't be read whole. */
    private static String next(Boolean isTruncated, String marker) throws ReadFailure {
        if (!Boolean.TRUE.equals(isTruncated)) {
            return null;
        }
        if (marker == null || marker.isEmpty()) {
            throw incomplete("a list that was cut does not say where it goes on");
        }
        return marker;
    }

    private static ReadFailure incomplete(String message) {
        return ReadFailure.stop(StopReason.INCOMPLETE, message);
    }

    /** Asks for something that may be absent or may have gone away since it was listed. */
    private static <T> Optional<T> ifThere(Requests.Request<T> request) throws Exception {
        try {
            return Optional.ofNullable(request.send());
        } catch (AwsServiceException e) {
            if (verdict(e) instanceof Verdict.Gone) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** Asks for a detail that an object's owner may have forbidden to see: then the object says so, and is still there. */
    private static <T> Optional<T> findDetail(ObjectNode object, String what, Requests.Request<T> request)
            throws Exception {
        try {
            return Optional.of(request.send());
        } catch (AwsServiceException e) {
            if (verdict(e) instanceof Verdict.Stop stop && stop.reason() == StopReason.FORBIDDEN) {
                object.withObject(ADDED).withArray("forbidden").add(what);
                return Optional.empty();
            }
            throw e;
        }
    }

    private static ObjectNode tagged(ObjectNode object, List<ObjectNode> tags) {
        if (tags != null && !tags.isEmpty()) {
            object.putArray("Tags").addAll(tags);
        }
        return object;
    }

    private static <T> List<List<T>> batches(List<T> all, int size) {
        List<List<T>> batches = new ArrayList<>();
        for (int from = 0; from < all.size(); from += size) {
            batches.add(all.subList(from, Math.min(all.size(), from + size)));
        }
        return batches;
    }

    private static Ec2Client ec2(AwsClient aws, Partition where) {
        return aws.of(Ec2Client.class, Ec2Client::builder, where);
    }

    private static ElasticLoadBalancingV2Client elb(AwsClient aws, Partition where) {
        return aws.of(ElasticLoadBalancingV2Client.class, ElasticLoadBalancingV2Client::builder, where);
    }

    private static ElasticLoadBalancingClient classicElb(AwsClient aws, Partition where) {
        return aws.of(ElasticLoadBalancingClient.class, ElasticLoadBalancingClient::builder, where);
    }

    private static RdsClient rds(AwsClient aws, Partition where) {
        return aws.of(RdsClient.class, RdsClient::builder, where);
    }

    private static ElastiCacheClient elastiCache(AwsClient aws, Partition where) {
        return aws.of(ElastiCacheClient.class, ElastiCacheClient::builder, where);
    }

    private static EcsClient ecs(AwsClient aws, Partition where) {
        return aws.of(EcsClient.class, EcsClient::builder, where);
    }

    private static EksClient eks(AwsClient aws, Partition where) {
        return aws.of(EksClient.class, EksClient::builder, where);
    }

    private static IamClient iam(AwsClient aws, Partition where) {
        return aws.of(IamClient.class, IamClient::builder, where);
    }

    private static S3Client s3(AwsClient aws, Partition where) {
        // An endpoint of one's own has no host per bucket.
        return aws.of(
                S3Client.class,
                () -> S3Client.builder().forcePathStyle(aws.endpoint().isPresent()),
                where);
    }

    /** Asked as the organization's own account, whichever account it is about. */
    private static OrganizationsClient organizations(AwsClient aws) {
        return aws.of(OrganizationsClient.class, OrganizationsClient::builder, Partition.global(aws.account()));
    }
}
