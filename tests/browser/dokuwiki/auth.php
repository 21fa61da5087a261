<?php
/**
 * DokuWiki's users are whoever the gateway says is there. Kept as lib/plugins/authportal/auth.php, and chosen by $conf['authtype'] = 'authportal'.
 * Only the gateway may reach this server: to the wiki, whoever reaches it is who the headers say.
 */
class auth_plugin_authportal extends DokuWiki_Auth_Plugin
{
    public function __construct()
    {
        parent::__construct();
        $this->cando['external'] = true;
        $this->cando['logout'] = false;
    }

    public function trustExternal($user, $pass, $sticky = false)
    {
        global $INPUT, $USERINFO;
        $user = self::told('REMOTE_USER');
        if ($user === '') return false;
        $USERINFO = ['name' => self::told('REMOTE_NAME'), 'mail' => self::told('REMOTE_EMAIL'), 'grps' => ['user', self::told('REMOTE_GROUPS')]];
        $INPUT->server->set('REMOTE_USER', $user);
        return true;
    }

    /** The gateway writes what is not ASCII as percent-encoded UTF-8. */
    private static function told($header)
    {
        return rawurldecode($_SERVER['HTTP_' . $header] ?? '');
    }
}
